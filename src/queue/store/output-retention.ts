import type { Clock } from '../../domain/clock.js';
import { eventLoopTurn } from '../../async/event-loop-turn.js';
import { guarded } from './store-error.js';
import type { Store } from './schema.js';

export interface OutputKeeperOptions {
  db: Store;
  clock: Clock;
  /** What a container printed goes this long after it ended. */
  maxAgeMs: number;
  /** The store did not take a deletion; it is tried again. */
  onFault(error: unknown): void;
}

const trimIntervalMs = 3_600_000;
const deleteSize = 200;

/** Lets go of old output, at once and then each hour, until stopped. Several daemons may do so on one store. */
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

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#options.clock.clearTimeout(this.#timer);
    await this.#trimming;
  }

  /** Deletes what is too old, in parts, so that others get their turn. Returns how many containers it was of. */
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
