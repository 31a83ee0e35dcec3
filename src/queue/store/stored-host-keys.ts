import type { Clock } from '../../domain/clock.js';
import type { HostKeyStore, PinnedHostKey } from '../../domain/host-key.js';
import { isLatestEpoch } from '../../leadership/lease-table.js';
import type { HostKeyTable, Store } from './schema.js';
import { guarded } from './store-error.js';

export interface StoredHostKeysOptions {
  db: Store;
  clock: Clock;
  /** The store does not take a change; reported once until it does again. */
  onFault(error: unknown): void;
}

/** Of an instance that went while no daemon ran; the others are written anew soon after each start. */
const keptMs = 30 * 86_400_000;
const trimDelayMs = 3_600_000;
const retryMs = 1_000;
const mostRows = 200_000;
const pageSize = 200;

/** Pinned host keys in the store: written some at a time, in the order in which they came, until the store takes them. */
export class StoredHostKeys implements HostKeyStore {
  readonly #options: StoredHostKeysOptions;
  /** The last change of each instance that is not written yet; `undefined`: it is gone. */
  readonly #waiting = new Map<string, PinnedHostKey | undefined>();
  #writing: Promise<void> | undefined;
  #retry: unknown;
  #trim: unknown;
  #hasFault = false;
  #isStopped = false;
  /** Of the leader on a shared store. */
  #epoch: number | undefined;

  constructor(options: StoredHostKeysOptions) {
    this.#options = options;
  }

  /** From now on nothing is written once another leader took over. */
  lead(epoch: number): void {
    this.#waiting.clear();
    this.#epoch = epoch;
  }

  /** Drops what is not written: the next leader pins by itself. */
  standBy(): void {
    this.#waiting.clear();
    this.#stopTimers();
  }

  /** Rows that no daemon wrote for a month are deleted an hour later: by then those of living instances are new. */
  async load(): Promise<ReadonlyMap<string, PinnedHostKey>> {
    const { db, clock } = this.#options;
    const rows = await guarded('the host keys of instances cannot be read', () =>
      db.selectFrom('host_keys').selectAll().orderBy('seen_at', 'desc').limit(mostRows).execute(),
    );
    const before = clock.now() - keptMs;
    clock.clearTimeout(this.#trim);
    this.#trim = clock.setTimeout(() => void this.#deleteOld(before), trimDelayMs);
    const pins = new Map(rows.map((row) => [row.instance_id, pinOf(row)]));
    for (const [id, pinned] of this.#waiting) {
      if (pinned) pins.set(id, pinned);
      else pins.delete(id);
    }
    return pins;
  }

  keep(pinned: PinnedHostKey): void {
    this.#change(pinned.instanceId, pinned);
  }

  gone(instanceId: string): void {
    this.#change(instanceId, undefined);
  }

  /** Resolves when all is written, or the store did not take it once more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopTimers();
    await this.#writing;
    if (this.#waiting.size > 0) await this.#writeAll();
  }

  #stopTimers(): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#retry);
    clock.clearTimeout(this.#trim);
    this.#retry = undefined;
  }

  #change(instanceId: string, pinned: PinnedHostKey | undefined): void {
    this.#waiting.delete(instanceId);
    this.#waiting.set(instanceId, pinned);
    if (this.#retry === undefined) this.#begin();
  }

  #begin(): void {
    this.#writing ??= this.#writeAll().finally(() => (this.#writing = undefined));
  }

  async #writeAll(): Promise<void> {
    // What comes at the same time goes together.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const page = [...this.#waiting].slice(0, pageSize);
      for (const [id] of page) this.#waiting.delete(id);
      try {
        await guarded('the host keys of instances were not taken', () => this.#write(page));
        this.#hasFault = false;
      } catch (error) {
        return this.#failed(page, error);
      }
    }
  }

  #failed(page: readonly [string, PinnedHostKey | undefined][], error: unknown): void {
    for (const [id, pinned] of page) if (!this.#waiting.has(id)) this.#waiting.set(id, pinned);
    if (!this.#hasFault) this.#options.onFault(error);
    this.#hasFault = true;
    if (this.#isStopped) return;
    this.#retry = this.#options.clock.setTimeout(() => {
      this.#retry = undefined;
      this.#begin();
    }, retryMs);
  }

  async #write(page: readonly [string, PinnedHostKey | undefined][]): Promise<void> {
    const { db, clock } = this.#options;
    const ids = page.map(([id]) => id);
    const seenAt = clock.now();
    const rows = page.flatMap(([, pinned]) => (pinned ? [rowOf(pinned, seenAt)] : []));
    await db.transaction().execute(async (change) => {
      if (this.#epoch !== undefined && !(await isLatestEpoch(change, this.#epoch))) return;
      await change.deleteFrom('host_keys').where('instance_id', 'in', ids).execute();
      if (rows.length > 0) await change.insertInto('host_keys').values(rows).execute();
    });
  }

  async #deleteOld(before: number): Promise<void> {
    const { db, onFault } = this.#options;
    await guarded('old host keys of instances cannot be deleted', () =>
      db.deleteFrom('host_keys').where('seen_at', '<', before).execute(),
    ).catch(onFault);
  }
}

function rowOf(pinned: PinnedHostKey, seenAt: number): HostKeyTable {
  const { instanceId, type, fingerprint, pinnedAt, isFinal, refused } = pinned;
  return {
    instance_id: instanceId,
    type,
    fingerprint,
    pinned_at: pinnedAt,
    seen_at: seenAt,
    is_final: isFinal ? 1 : 0,
    refused_type: refused?.type ?? '',
    refused_fingerprint: refused?.fingerprint ?? '',
  };
}

function pinOf(row: HostKeyTable): PinnedHostKey {
  const { refused_type: type, refused_fingerprint: fingerprint } = row;
  return {
    instanceId: row.instance_id,
    type: row.type,
    fingerprint: row.fingerprint,
    pinnedAt: Number(row.pinned_at),
    isFinal: Number(row.is_final) === 1,
    refused: fingerprint === '' ? undefined : { type, fingerprint },
  };
}
