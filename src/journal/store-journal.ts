import type { Clock } from '../domain/clock.js';
import type { Store } from '../queue/store/database.js';
import type { Journal, JournalEntry, JournalFilter, LaunchIntent } from './journal.js';

export interface StoreJournalOptions {
  db: Store;
  clock: Clock;
  /** Entries wait at most this long before they are written. */
  flushMs: number;
  /** The oldest go when there are more. */
  maxEntries: number;
  /** Entries could not be written; they are dropped. */
  onFault(error: unknown, dropped: number): void;
}

const batchSize = 500;
/** Beyond it the oldest unwritten entries are dropped rather than filling the memory. */
const longestBuffer = 50_000;

/** The journal in the store: appended in batches, so that no event waits for the disk. */
export class StoreJournal implements Journal {
  readonly #options: StoreJournalOptions;
  #buffer: JournalEntry[] = [];
  #timer: unknown;
  #writing: Promise<void> = Promise.resolve();
  #written = 0;

  constructor(options: StoreJournalOptions) {
    this.#options = options;
  }

  append(entry: JournalEntry): void {
    const { clock, flushMs, onFault } = this.#options;
    this.#buffer.push(entry);
    if (this.#buffer.length > longestBuffer) {
      this.#buffer.splice(0, batchSize);
      onFault(new Error('the journal cannot keep up'), batchSize);
    }
    this.#timer ??= clock.setTimeout(() => void this.flush(), flushMs);
  }

  flush(): Promise<void> {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#writeAll());
    return this.#writing;
  }

  async read(filter: JournalFilter): Promise<JournalEntry[]> {
    await this.flush();
    let query = this.#options.db.selectFrom('journal').select('entry').orderBy('id', 'desc');
    if (filter.instance !== undefined) query = query.where('instance', '=', filter.instance);
    if (filter.container !== undefined) query = query.where('container', '=', filter.container);
    if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
    if (filter.since !== undefined) query = query.where('at', '>=', filter.since);
    const rows = await query.limit(filter.limit ?? 1_000).execute();
    return rows.reverse().map(({ entry }) => JSON.parse(entry) as JournalEntry);
  }

  async recordIntent({ secretFingerprint, instanceType, at }: LaunchIntent): Promise<void> {
    await this.#options.db
      .insertInto('intents')
      .values({ fingerprint: secretFingerprint, instance_type: instanceType, at, outcome: null })
      .execute();
  }

  async settleIntent(secretFingerprint: string, outcome: string): Promise<void> {
    await this.#options.db
      .updateTable('intents')
      .set({ outcome })
      .where('fingerprint', '=', secretFingerprint)
      .execute();
  }

  async openIntents(): Promise<LaunchIntent[]> {
    const rows = await this.#options.db
      .selectFrom('intents')
      .selectAll()
      .where('outcome', 'is', null)
      .execute();
    return rows.map((row) => ({
      secretFingerprint: row.fingerprint,
      instanceType: row.instance_type,
      at: Number(row.at),
    }));
  }

  async #writeAll(): Promise<void> {
    const { db, onFault } = this.#options;
    while (this.#buffer.length > 0) {
      const batch = this.#buffer.splice(0, batchSize);
      try {
        await db
          .insertInto('journal')
          .values(
            batch.map((entry) => ({
              at: entry.at,
              kind: entry.kind,
              instance: entry.instance ?? null,
              container: entry.container ?? null,
              entry: JSON.stringify(entry),
            })),
          )
          .execute();
        await this.#trim(batch.length);
      } catch (error) {
        onFault(error, batch.length);
      }
    }
  }

  async #trim(added: number): Promise<void> {
    const { db, maxEntries } = this.#options;
    this.#written += added;
    if (this.#written < maxEntries / 10) return;
    this.#written = 0;
    const { last } = await db
      .selectFrom('journal')
      .select((eb) => eb.fn.max('id').as('last'))
      .executeTakeFirstOrThrow();
    await db
      .deleteFrom('journal')
      .where('id', '<', Number(last ?? 0) - maxEntries)
      .execute();
  }
}
