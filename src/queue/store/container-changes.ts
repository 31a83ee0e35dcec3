import type { Clock } from '../../domain/clock.js';
import { QueueError } from '../queue.js';
import type { ContainerRow } from './container-rows.js';
import type { RowChange } from './container-transitions.js';
import { eventLoopTurn } from '../../async/event-loop-turn.js';
import { storeError } from './store-error.js';
import { encodeOutput, writeRows, type Epoch, type RowWrite } from './write-rows.js';
import type { ContainerResult } from '../../domain/container-work.js';
import type { Store } from './schema.js';

export interface ContainerChangesOptions {
  db: Store;
  clock: Clock;
  /** Identifies this daemon among the writers of the store. */
  writer: string;
  /** How long a change is retried while the store does not accept it. */
  patienceMs: number;
}

/** One pending change of one container. */
export interface WantedChange {
  uuid: string;
  /** Called again when another writer changed the row meanwhile. The change rejects with its error. */
  decide(row: ContainerRow): RowChange;
  output?: Pick<ContainerResult, 'stdout' | 'stderr'>;
  epoch: Epoch;
}

interface Waiting {
  wanted: WantedChange;
  /** The row that the last write would have produced, in case its response was lost. */
  sent: RowWrite | undefined;
  attempts: number;
  giveUpAt: number;
  resolve(row: ContainerRow): void;
  reject(error: QueueError): void;
}

const mostAttempts = 10;
const batchSize = 200;
const batchBytes = 4 * 2 ** 20;
const firstPauseMs = 100;
const longestPauseMs = 2_000;

/**
 * Changes containers in batches: changes that arrive during a write share the next transaction. A change that the database
 * rejects is retried with growing delays until the patience ends.
 */
export class ContainerChanges {
  readonly #options: ContainerChangesOptions;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #isStopping = false;
  /** A single change after a failure, so that a change which the database cannot accept fails alone. */
  #nextSize = batchSize;
  #wake: () => void = () => {};

  constructor(options: ContainerChangesOptions) {
    this.#options = options;
  }

  /**
   * Resolves to the changed row, durably. Rejects with `not-found`, `superseded`, `unavailable`, and with the error of
   * `decide`.
   */
  change(wanted: WantedChange): Promise<ContainerRow> {
    const giveUpAt = this.#options.clock.now() + this.#options.patienceMs;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ wanted, sent: undefined, attempts: 0, giveUpAt, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Abandons pending changes. Resolves when no write is in progress. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    await eventLoopTurn();
    let pauseMs = firstPauseMs;
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      try {
        await this.#carryOut(batch);
        pauseMs = firstPauseMs;
        this.#nextSize = batchSize;
      } catch (cause) {
        const isHopeless = this.#putBack(batch, storeError('the store did not take a change', cause));
        if (isHopeless) continue;
        this.#nextSize = 1;
        await this.#pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
      }
    }
    // In the same turn as the check for pending changes: a later change begins a new batch.
    this.#running = undefined;
  }

  /** Returns the oldest pending changes of one epoch, at most one per container. */
  #nextBatch(): Waiting[] {
    const batch: Waiting[] = [];
    const uuids = new Set<string>();
    let bytes = 0;
    const later: Waiting[] = [];
    for (const each of this.#waiting) {
      const { uuid, epoch, output } = each.wanted;
      const isNext = batch.length < this.#nextSize && bytes < batchBytes && !uuids.has(uuid);
      if (isNext && (batch.length === 0 || epoch === batch[0]!.wanted.epoch)) {
        batch.push(each);
        bytes += (output?.stdout.length ?? 0) + (output?.stderr.length ?? 0);
      } else later.push(each);
      uuids.add(uuid);
    }
    this.#waiting = later;
    return batch;
  }

  async #carryOut(batch: readonly Waiting[]): Promise<void> {
    const { db, writer } = this.#options;
    const uuids = batch.map(({ wanted }) => wanted.uuid);
    const read = await db.selectFrom('containers').selectAll().where('uuid', 'in', uuids).execute();
    const rows = new Map(read.map((row) => [row.uuid, row]));
    const sending = batch.filter((each) => this.#decide(each, rows.get(each.wanted.uuid)));
    if (sending.length === 0) return;
    const writes = sending.map(({ sent }) => sent!);
    const written = await writeRows(db, writes, sending[0]!.wanted.epoch, writer);
    for (const each of sending) this.#settle(each, written.has(each.wanted.uuid));
  }

  /** Whether there is something to write. */
  #decide(each: Waiting, row: ContainerRow | undefined): boolean {
    const { wanted, sent } = each;
    if (!row) {
      each.reject(new QueueError('not-found', `container ${wanted.uuid} is not known`));
      return false;
    }
    if (sent && wasApplied(sent, row)) {
      each.resolve(row);
      return false;
    }
    try {
      const change = wanted.decide(row);
      if (change === undefined) {
        each.resolve(row);
        return false;
      }
      each.sent = { row, change, output: wanted.output && encodeOutput(wanted.output) };
      return true;
    } catch (error) {
      each.reject(storeError('the store did not take a change', error));
      return false;
    }
  }

  #settle(each: Waiting, isWritten: boolean): void {
    const { row, change } = each.sent!;
    if (isWritten) return each.resolve({ ...row, ...change });
    each.sent = undefined;
    if (++each.attempts < mostAttempts) return void this.#waiting.push(each);
    each.reject(new QueueError('unavailable', `container ${row.uuid}: too many concurrent updates`));
  }

  /** Whether a retry is useless. */
  #putBack(batch: readonly Waiting[], error: QueueError): boolean {
    const isHopeless = error.code !== 'unavailable' || this.#isStopping;
    const now = this.#options.clock.now();
    const again: Waiting[] = [];
    for (const each of batch) {
      // A clock that was set back does not prolong the wait.
      const isOver = now >= each.giveUpAt || now < each.giveUpAt - this.#options.patienceMs;
      if (isHopeless || isOver) each.reject(error);
      else again.push(each);
    }
    this.#waiting.push(...again);
    return isHopeless;
  }

  #pause(ms: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.setTimeout(resolve, ms);
      this.#wake = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** A write with a lost response took effect if the row is newer and has all its values. */
function wasApplied({ row: before, change }: RowWrite, row: ContainerRow): boolean {
  if (row.revision <= before.revision) return false;
  return Object.entries(change).every(([name, value]) => row[name as keyof ContainerRow] === value);
}
