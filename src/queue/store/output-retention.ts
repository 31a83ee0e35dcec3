import type { Clock } from '../../domain/clock.js';
import { eventLoopTurn } from '../../async/event-loop-turn.js';
import { guarded } from './store-error.js';
import type { Store } from './schema.js';

export interface OutputKeeperOptions {
  db: Store;
  clock: Clock;
  /** Container output is deleted this long after the end of the container. */
  maxAgeMs: number;
  /** Called when the store rejects a deletion, which is retried. */
  onFault(error: unknown): void;
}

const trimIntervalMs = 3_600_000;
const deleteSize = 200;

/** Deletes expired output on start and then hourly until stopped. Several daemons may do so on one store. */
export class OutputKeeper {
  readonly #options: OutputKeeperOptions;
  #timer: unknown;
  #trimming: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  constructor(options: OutputKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, onFault } = this.#options;
    this.#trimming = this.trim().catch(onFault);
    this.#timer = clock.setTimeout(() => this.start(), trimIntervalMs);
  }

  /** Resolves when no deletion is in progress. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#options.clock.clearTimeout(this.#timer);
    await this.#trimming;
  }

  /** Deletes expired output in batches, so that other work proceeds. Returns the number of containers. */
  async trim(): Promise<number> {
    const { db, clock, maxAgeMs } = this.#options;
    const before = clock.now() - maxAgeMs;
    let count = 0;
    while (!this.#isStopped) {
      const old = db
        .selectFrom('outputs')
        .innerJoin('containers', 'containers.uuid', 'outputs.uuid')
        .select('outputs.uuid')
        .where('containers.finished_at', '<', before)
        .limit(deleteSize);
      const { numDeletedRows } = await guarded('old output cannot be deleted', () =>
        db.deleteFrom('outputs').where('uuid', 'in', old).executeTakeFirst(),
      );
      count += Number(numDeletedRows);
      if (numDeletedRows < BigInt(deleteSize)) break;
      await eventLoopTurn();
    }
    return count;
  }
}
