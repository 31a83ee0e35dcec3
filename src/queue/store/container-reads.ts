import { sql } from 'kysely';
import { containerStates, type ContainerState } from '../../domain/container.js';
import type { ContainerFilter } from '../container-store.js';
import { QueueError } from '../queue.js';
import type { ContainerRow } from './container-rows.js';
import type { ContainerResult } from '../../domain/container-work.js';
import type { Store } from './schema.js';

export interface RowPage {
  rows: ContainerRow[];
  next: string | undefined;
}

const largestPage = 1_000;

/** Newest first. Each state is asked for by itself, so that the index gives the order and nothing is sorted. */
export async function readPage(db: Store, filter: ContainerFilter): Promise<RowPage> {
  const { limit, states = [] } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > largestPage) {
    throw new QueueError('invalid', `limit: ${limit} is not between 1 and ${largestPage}`);
  }
  const asked = states.length > 0 ? [...new Set(states)] : [undefined];
  const parts = await Promise.all(asked.map((state) => readRows(db, filter, state)));
  const rows = parts.flat();
  if (parts.length > 1) rows.sort(byAge);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { rows: page, next: rows.length > limit && last ? `${last.created_at}:${last.uuid}` : undefined };
}

function readRows(
  db: Store,
  { limit, after, name, instanceId }: ContainerFilter,
  state: ContainerState | undefined,
): Promise<ContainerRow[]> {
  let query = db.selectFrom('containers').selectAll();
  if (state !== undefined) query = query.where('state', '=', state);
  if (name !== undefined) query = query.where('name', '=', name);
  if (instanceId !== undefined) query = query.where('instance_id', '=', instanceId);
  if (after !== undefined) {
    const { createdAt, uuid } = decodeCursor(after);
    query = query
      .where('created_at', '<=', createdAt)
      .where((where) => where.or([where('created_at', '<', createdAt), where('uuid', '<', uuid)]));
  }
  return query
    .orderBy('created_at', 'desc')
    .orderBy('uuid', 'desc')
    .limit(limit + 1)
    .execute();
}

export async function countByState(db: Store): Promise<Record<ContainerState, number>> {
  const rows = await db
    .selectFrom('containers')
    .select(['state', (eb) => eb.fn.countAll<number>().as('count')])
    .groupBy('state')
    .execute();
  const counts = Object.fromEntries(containerStates.map((state) => [state, 0])) as Record<
    ContainerState,
    number
  >;
  for (const { state, count } of rows) {
    // A damaged state is reported where its row is read.
    if (state in counts) counts[state as ContainerState] = Number(count);
  }
  return counts;
}

/** How many are Complete with another exit code than 0. The condition is that of the index `containers_failed`. */
export async function countFailed(db: Store): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from containers
    where state = 'Complete' and coalesce(exit_code, 1) <> 0`.execute(db);
  return Number(rows[0]?.count ?? 0);
}

export async function readOutput(
  db: Store,
  uuid: string,
): Promise<Pick<ContainerResult, 'stdout' | 'stderr'> | undefined> {
  const row = await db.selectFrom('outputs').selectAll().where('uuid', '=', uuid).executeTakeFirst();
  if (row?.encoding !== 'json') return row && { stdout: row.stdout, stderr: row.stderr };
  return { stdout: JSON.parse(row.stdout) as string, stderr: JSON.parse(row.stderr) as string };
}

/** Rejects with `not-found`. */
export async function containerRow(db: Store, uuid: string): Promise<ContainerRow> {
  const row = await db.selectFrom('containers').selectAll().where('uuid', '=', uuid).executeTakeFirst();
  if (!row) throw new QueueError('not-found', `container ${uuid} is not known`);
  return row;
}

/** The highest revision of any container; 0 when there is none. */
export async function lastRevision(db: Store): Promise<number> {
  const { last } = await db
    .selectFrom('containers')
    .select((eb) => eb.fn.max('revision').as('last'))
    .executeTakeFirstOrThrow();
  return Number(last ?? 0);
}

function byAge(a: ContainerRow, b: ContainerRow): number {
  return b.created_at - a.created_at || (a.uuid < b.uuid ? 1 : -1);
}

function decodeCursor(cursor: string): { createdAt: number; uuid: string } {
  const match = /^(\d{1,15}):([a-z0-9-]+)$/.exec(cursor);
  if (!match) throw new QueueError('invalid', `after: "${cursor}" is not the "next" of an earlier page`);
  return { createdAt: Number(match[1]), uuid: match[2]! };
}
