import type { Clock } from '../../domain/clock.js';
import { isLatestEpoch } from '../../leadership/lease-table.js';
import type { HostKeyTable, Store, StoreSchema } from './schema.js';
import { guarded } from './store-error.js';

export interface StoredByInstanceOptions {
  db: Store;
  clock: Clock;
  /** The store does not take a change; reported once until it does again. */
  onFault(error: unknown): void;
}

/** Tables with one row for each instance, and the time when a daemon last wrote it. */
type InstanceTable = 'host_keys' | 'instance_conduct';

/** How values of one kind are stored. */
export interface InstanceRows<Table extends InstanceTable, Value> {
  table: Table;
  /** In messages, as `host keys of instances`. */
  what: string;
  rowOf(value: Value, seenAt: number): StoreSchema[Table];
  valueOf(row: StoreSchema[Table]): Value;
}

/** Of an instance that went while no daemon ran; the others are written anew soon after each start. */
const keptMs = 30 * 86_400_000;
const trimDelayMs = 3_600_000;
const retryMs = 1_000;
const mostRows = 200_000;
const pageSize = 200;

/**
 * Keeps one value for each instance in the store. Writes some at a time, in the order in which they came, until the store
 * takes them.
 */
export class StoredByInstance<Table extends InstanceTable, Value extends { instanceId: string }> {
  readonly #options: StoredByInstanceOptions;
  readonly #rows: InstanceRows<Table, Value>;
  /** The last change of each instance that is not written yet; `undefined`: it is gone. */
  readonly #waiting = new Map<string, Value | undefined>();
  #writing: Promise<void> | undefined;
  #retry: unknown;
  #trim: unknown;
  #hasFault = false;
  #isStopped = false;
  /** Of the leader on a shared store. */
  #epoch: number | undefined;

  constructor(options: StoredByInstanceOptions, rows: InstanceRows<Table, Value>) {
    this.#options = options;
    this.#rows = rows;
  }

  /** The types of the two tables are alike in the columns that are used here. */
  get #table(): 'host_keys' {
    return this.#rows.table as 'host_keys';
  }

  /** From now on nothing is written once another leader took over. */
  lead(epoch: number): void {
    this.#waiting.clear();
    this.#epoch = epoch;
  }

  /** Drops what is not written. */
  standBy(): void {
    this.#waiting.clear();
    this.#stopTimers();
  }

  /** Rows that no daemon wrote for a month are deleted an hour later: by then those of living instances are new. */
  async load(): Promise<ReadonlyMap<string, Value>> {
    const { db, clock } = this.#options;
    const { what, valueOf } = this.#rows;
    const rows = await guarded(`the ${what} cannot be read`, () =>
      db.selectFrom(this.#table).selectAll().orderBy('seen_at', 'desc').limit(mostRows).execute(),
    );
    const before = clock.now() - keptMs;
    clock.clearTimeout(this.#trim);
    this.#trim = clock.setTimeout(() => void this.#deleteOld(before), trimDelayMs);
    const values = new Map(
      rows.map((row) => [row.instance_id, valueOf(row as unknown as StoreSchema[Table])]),
    );
    for (const [id, value] of this.#waiting) {
      if (value) values.set(id, value);
      else values.delete(id);
    }
    return values;
  }

  keep(value: Value): void {
    this.#change(value.instanceId, value);
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

  #change(instanceId: string, value: Value | undefined): void {
    this.#waiting.delete(instanceId);
    this.#waiting.set(instanceId, value);
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
        await guarded(`the ${this.#rows.what} were not taken`, () => this.#write(page));
        this.#hasFault = false;
      } catch (error) {
        return this.#failed(page, error);
      }
    }
  }

  #failed(page: readonly [string, Value | undefined][], error: unknown): void {
    for (const [id, value] of page) if (!this.#waiting.has(id)) this.#waiting.set(id, value);
    if (!this.#hasFault) this.#options.onFault(error);
    this.#hasFault = true;
    if (this.#isStopped) return;
    this.#retry = this.#options.clock.setTimeout(() => {
      this.#retry = undefined;
      this.#begin();
    }, retryMs);
  }

  async #write(page: readonly [string, Value | undefined][]): Promise<void> {
    const { db, clock } = this.#options;
    const ids = page.map(([id]) => id);
    const seenAt = clock.now();
    const rows = page.flatMap(([, value]) =>
      value ? [this.#rows.rowOf(value, seenAt) as unknown as HostKeyTable] : [],
    );
    await db.transaction().execute(async (change) => {
      if (this.#epoch !== undefined && !(await isLatestEpoch(change, this.#epoch))) return;
      await change.deleteFrom(this.#table).where('instance_id', 'in', ids).execute();
      if (rows.length > 0) await change.insertInto(this.#table).values(rows).execute();
    });
  }

  async #deleteOld(before: number): Promise<void> {
    const { db, onFault } = this.#options;
    await guarded(`old ${this.#rows.what} cannot be deleted`, () =>
      db.deleteFrom(this.#table).where('seen_at', '<', before).execute(),
    ).catch(onFault);
  }
}
