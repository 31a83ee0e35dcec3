import { isFinal, type Container, type ContainerState } from '../../domain/container.js';
import type { Fetch } from '../queue-cache.js';
import { lastRevision } from './container-reads.js';
import { containerOf, queueColumns, type QueueRow } from './container-rows.js';
import type { QueueEntry } from '../../domain/queue-entry.js';
import type { Store } from './schema.js';

export interface FetchOptions {
  db: Store;
  known: ReadonlyMap<string, QueueEntry>;
  /** The revision up to which everything is known; `undefined`: nothing is. */
  seenRevision: number | undefined;
  /** Called with the revision that is known once the records were taken over. */
  onApplied(revision: number): void;
  /** A row that cannot be read: it is passed over. */
  onFault(uuid: string, error: unknown): void;
}

const openStates: readonly ContainerState[] = ['Queued', 'Locked', 'Running'];
const pageSize = 1_000;
const lookupSize = 500;

/** All that is not final, with what became of the other known ones; or, once that is known, only what changed since. */
export async function fetchContainers(options: FetchOptions): Promise<Fetch> {
  const { db, seenRevision, onApplied } = options;
  const upTo = await lastRevision(db);
  return {
    batches: seenRevision === undefined ? readOpen(options) : readChanged(options, seenRevision, upTo),
    isComplete: seenRevision === undefined,
    applied: () => onApplied(upTo),
  };
}

async function* readOpen(options: FetchOptions): AsyncGenerator<Container[]> {
  const { db, known } = options;
  const missing = new Set([...known.keys()]);
  for (let after = ''; ;) {
    const rows = await db
      .selectFrom('containers')
      .select(queueColumns)
      .where('state', 'in', openStates)
      .where('uuid', '>', after)
      .orderBy('uuid')
      .limit(pageSize)
      .execute();
    for (const { uuid } of rows) missing.delete(uuid);
    yield readable(options, rows);
    if (rows.length < pageSize) break;
    after = rows.at(-1)!.uuid;
  }
  const uuids = [...missing];
  for (let from = 0; from < uuids.length; from += lookupSize) {
    const rows = await db
      .selectFrom('containers')
      .select(queueColumns)
      .where('uuid', 'in', uuids.slice(from, from + lookupSize))
      .execute();
    yield readable(options, rows);
  }
}

async function* readChanged(
  options: FetchOptions,
  seenRevision: number,
  upTo: number,
): AsyncGenerator<Container[]> {
  for (let after = seenRevision; after < upTo;) {
    const rows = await options.db
      .selectFrom('containers')
      .select(queueColumns)
      .where('revision', '>', after)
      .where('revision', '<=', upTo)
      .orderBy('revision')
      .limit(pageSize)
      .execute();
    yield readable(options, rows);
    if (rows.length < pageSize) return;
    after = Number(rows.at(-1)!.revision);
  }
}

/** A known container whose row was damaged stays as it is known: dropping it would end its process. */
function readable({ known, onFault }: FetchOptions, rows: readonly QueueRow[]): Container[] {
  return rows.flatMap((row) => {
    try {
      return [containerOf(row)];
    } catch (error) {
      onFault(row.uuid, error);
      const entry = known.get(row.uuid);
      return entry && !isFinal(entry.container.state) ? [entry.container] : [];
    }
  });
}
