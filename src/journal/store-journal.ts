import type { Selectable } from 'kysely';
import type { Clock } from '../domain/clock.js';
import { eventLoopTurn } from '../async/event-loop-turn.js';
import type { IntentTable, Store } from '../queue/store/schema.js';
import { guarded } from '../queue/store/store-error.js';
import { ByteBudget } from './byte-budget.js';
import { insertEntries, type JournalRow } from './insert-entries.js';
import type { Journal, JournalEntry, JournalFilter, JournalState, LaunchIntent } from './journal.js';
import { trimJournal } from './trim-journal.js';

export interface StoreJournalOptions {
  db: Store;
  clock: Clock;
  /** Entries wait at most this long before they are written. */
  flushMs: number;
  /** The oldest go when there are more. */
  maxEntries: number;
  /** Likewise when their texts have more bytes; not given: any number will do. */
  maxBytes?: number;
  /** Older ones go; not given: only their number counts. */
  maxAgeMs?: number;
  /**
   * An entry or a row that is no JSON, or the first of the writes that fail. `dropped`: how many entries are lost by it;
   * those of a failed write are not, and are tried again.
   */
  onFault(error: unknown, dropped: number): void;
  /** The store takes entries again. */
  onRecovered?(): void;
}

const batchSize = 500;
/** Characters: three bytes each at most, so that a statement with a batch in it stays below the megabyte it may have. */
const longestBatch = 250_000;
/** Beyond it the oldest unwritten entries are dropped rather than filling the memory. */
const longestBuffer = 50_000;
/** Likewise; characters. */
const largestBuffer = 32 * 2 ** 20;
/** A store that does not take entries is tried again at this pace. */
const retryMs = 1_000;
const trimIntervalMs = 3_600_000;
const pageSize = 1_000;
const mostIntents = 100_000;

/** The journal in the store: appended in batches, so that no event waits for the disk. */
export class StoreJournal implements Journal {
  readonly #options: StoreJournalOptions;
  readonly #budget = new ByteBudget();
  #buffer: JournalRow[] = [];
  /** Characters in the buffer. */
  #buffered = 0;
  #timer: unknown;
  #cutTimer: unknown;
  #writing: Promise<void> = Promise.resolve();
  #inFlight = 0;
  #writtenSinceTrim = 0;
  #bytesSinceTrim = 0;
  #trimmedAt: number;
  #dropped = 0;
  #fault: string | undefined;

  constructor(options: StoreJournalOptions) {
    this.#options = options;
    this.#trimmedAt = options.clock.now();
  }

  append(entry: JournalEntry): void {
    let row: JournalRow;
    try {
      row = rowOf(entry);
    } catch (error) {
      return this.#drop(error, 1);
    }
    this.#sayWhatWasCut();
    const isWithin = this.#budget.take(entry, Buffer.byteLength(row.entry), this.#options.clock.now());
    if (isWithin) this.#push(row);
    else this.#awaitCut();
  }

  /** Bytes about the instance that were beyond what one may cost, since the daemon began. */
  leftOut(instance: string): number {
    return this.#budget.leftOut(instance);
  }

  #push(row: JournalRow): void {
    this.#buffer.push(row);
    this.#buffered += row.entry.length;
    this.#shorten();
    if (this.#fault !== undefined) this.#flushIn(retryMs);
    else if (this.#buffer.length === batchSize) void this.flush();
    else this.#flushIn(this.#options.flushMs);
  }

  state(): JournalState {
    const waiting = this.#buffer.length + this.#inFlight;
    const { leftOutBytes } = this.#budget;
    return { waiting, dropped: this.#dropped, leftOutBytes, fault: this.#fault };
  }

  /** Also resolves when the store does not take the entries: they stay in memory and are tried again. */
  flush(): Promise<void> {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#writeAll());
    return this.#writing;
  }

  /** Writes what was appended, unless the store does not take it: then that is lost. */
  async stop(): Promise<void> {
    this.#options.clock.clearTimeout(this.#cutTimer);
    this.#sayWhatWasCut(true);
    await this.flush();
    this.#options.clock.clearTimeout(this.#timer);
    if (this.#buffer.length === 0) return;
    this.#drop(new Error(this.#fault ?? 'the journal was stopped'), this.#take(this.#buffer.length).length);
  }

  async read(filter: JournalFilter): Promise<JournalEntry[]> {
    await this.flush();
    const rows = await guarded('the journal cannot be read', () =>
      this.#select(filter)
        .orderBy('id', 'desc')
        .limit(filter.limit ?? 1_000)
        .execute(),
    );
    return rows.reverse().flatMap(({ entry }) => this.#readable(entry));
  }

  async *pages(filter: JournalFilter): AsyncGenerator<readonly JournalEntry[]> {
    await this.flush();
    const until = await guarded('the journal cannot be read', () => this.#lastId());
    let left = filter.limit ?? Infinity;
    for (let after = 0; left > 0;) {
      const limit = Math.min(pageSize, left);
      const rows = await guarded('the journal cannot be read', () =>
        this.#select(filter)
          .where('id', '>', after)
          .where('id', '<=', until)
          .orderBy('id')
          .limit(limit)
          .execute(),
      );
      if (rows.length > 0) yield rows.flatMap(({ entry }) => this.#readable(entry));
      if (rows.length < limit) return;
      left -= rows.length;
      after = Number(rows.at(-1)!.id);
    }
  }

  async recordIntent({ secretFingerprint, instanceType, at }: LaunchIntent): Promise<void> {
    const values = { instance_type: instanceType, at, outcome: null };
    await guarded('the journal did not take an intent', () =>
      this.#options.db
        .insertInto('intents')
        .values({ fingerprint: secretFingerprint, ...values })
        .onConflict((conflict) => conflict.column('fingerprint').doUpdateSet(values))
        .execute(),
    );
  }

  async settleIntent(secretFingerprint: string, outcome: string): Promise<void> {
    await guarded('the journal did not take an outcome', () =>
      this.#options.db
        .updateTable('intents')
        .set({ outcome })
        .where('fingerprint', '=', secretFingerprint)
        .execute(),
    );
  }

  async openIntents(): Promise<LaunchIntent[]> {
    const rows = await guarded('the journal cannot be read', () =>
      this.#options.db.selectFrom('intents').selectAll().where('outcome', 'is', null).orderBy('at').execute(),
    );
    return rows.map(intentOf);
  }

  async recordedIntents(): Promise<LaunchIntent[]> {
    const rows = await guarded('the journal cannot be read', () =>
      this.#options.db.selectFrom('intents').selectAll().orderBy('at', 'desc').limit(mostIntents).execute(),
    );
    return rows.map(intentOf);
  }

  /** Deletes what is beyond the limits; also done by itself from time to time. */
  async trim(): Promise<void> {
    const { db, clock, maxEntries, maxBytes = Infinity, maxAgeMs = Infinity } = this.#options;
    this.#writtenSinceTrim = 0;
    this.#bytesSinceTrim = 0;
    this.#trimmedAt = clock.now();
    const before = maxAgeMs === Infinity ? 0 : clock.now() - maxAgeMs;
    await guarded('the journal cannot be trimmed', () => trimJournal(db, { maxEntries, maxBytes, before }));
  }

  #select({ instance, container, kind, kinds, without, since }: JournalFilter) {
    let query = this.#options.db.selectFrom('journal').select(['id', 'entry']);
    if (instance !== undefined) query = query.where('instance', '=', instance);
    if (container !== undefined) query = query.where('container', '=', container);
    if (kind !== undefined) query = query.where('kind', '=', kind);
    if (kinds !== undefined) query = query.where('kind', 'in', kinds);
    if (without !== undefined) query = query.where('kind', 'not in', without);
    if (since !== undefined) query = query.where('at', '>=', since);
    return query;
  }

  async #lastId(): Promise<number> {
    const { last } = await this.#options.db
      .selectFrom('journal')
      .select((eb) => eb.fn.max('id').as('last'))
      .executeTakeFirstOrThrow();
    return Number(last ?? 0);
  }

  #readable(text: string): JournalEntry[] {
    try {
      return [JSON.parse(text) as JournalEntry];
    } catch (error) {
      this.#options.onFault(error, 0);
      return [];
    }
  }

  #flushIn(delayMs: number): void {
    this.#timer ??= this.#options.clock.setTimeout(() => void this.flush(), delayMs);
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#buffer.length > 0) {
        await this.#writeBatch(this.#take(batchOf(this.#buffer)));
        await eventLoopTurn();
      }
      if (this.#isTrimDue()) await this.trim();
    } catch (error) {
      if (this.#buffer.length > 0) this.#flushIn(retryMs);
      if (this.#fault === undefined) this.#options.onFault(error, 0);
      this.#fault = error instanceof Error ? error.message : String(error);
    }
  }

  async #writeBatch(batch: JournalRow[]): Promise<void> {
    this.#inFlight = batch.length;
    try {
      await guarded('the journal cannot be written', () => insertEntries(this.#options.db, batch));
      this.#writtenSinceTrim += batch.length;
      this.#bytesSinceTrim += lengthOf(batch);
    } catch (error) {
      this.#buffer = [...batch, ...this.#buffer];
      this.#buffered += lengthOf(batch);
      this.#shorten();
      throw error;
    } finally {
      this.#inFlight = 0;
    }
    if (this.#fault === undefined) return;
    this.#fault = undefined;
    this.#options.onRecovered?.();
  }

  #drop(error: unknown, count: number): void {
    this.#dropped += count;
    this.#options.onFault(error, count);
  }

  #shorten(): void {
    if (this.#buffer.length <= longestBuffer && this.#buffered <= largestBuffer) return;
    const most = largestBuffer - longestBatch;
    let dropped =
      this.#buffer.length > longestBuffer
        ? this.#take(this.#buffer.length - longestBuffer + batchSize).length
        : 0;
    while (this.#buffered > most) dropped += this.#take(1).length;
    this.#drop(new Error('the journal cannot keep up'), dropped);
  }

  /** The first so many of the buffer. */
  #take(count: number): JournalRow[] {
    const rows = this.#buffer.splice(0, count);
    this.#buffered -= lengthOf(rows);
    return rows;
  }

  #sayWhatWasCut(all = false): void {
    for (const entry of this.#budget.settle(this.#options.clock.now(), all)) this.#push(rowOf(entry));
  }

  #awaitCut(): void {
    const { clock } = this.#options;
    const { dueAt } = this.#budget;
    if (this.#cutTimer !== undefined || dueAt === undefined) return;
    this.#cutTimer = clock.setTimeout(
      () => {
        this.#cutTimer = undefined;
        this.#sayWhatWasCut();
        this.#awaitCut();
      },
      Math.max(1, dueAt - clock.now()),
    );
  }

  #isTrimDue(): boolean {
    const { clock, maxEntries, maxBytes = Infinity } = this.#options;
    const isMuch = this.#writtenSinceTrim >= maxEntries / 10 || this.#bytesSinceTrim >= maxBytes / 10;
    return isMuch || clock.now() - this.#trimmedAt >= trimIntervalMs;
  }
}

function intentOf(row: Selectable<IntentTable>): LaunchIntent {
  return { secretFingerprint: row.fingerprint, instanceType: row.instance_type, at: Number(row.at) };
}

function lengthOf(rows: readonly JournalRow[]): number {
  return rows.reduce((sum, { entry }) => sum + entry.length, 0);
}

/** How many of the first rows go together. */
function batchOf(rows: readonly JournalRow[]): number {
  let length = rows[0]!.entry.length;
  let count = 1;
  while (count < Math.min(rows.length, batchSize)) {
    length += rows[count]!.entry.length;
    if (length > longestBatch) break;
    count++;
  }
  return count;
}

/** As it is now, whatever becomes of the entry. Throws for one that is not plain JSON, or too long. */
function rowOf(entry: JournalEntry): JournalRow {
  const text = JSON.stringify(entry);
  if (text.length > longestBatch) throw new RangeError(`a journal entry of ${text.length} characters`);
  return {
    at: entry.at,
    kind: entry.kind,
    instance: entry.instance ?? null,
    container: entry.container ?? null,
    entry: text,
  };
}
