import type { Clock } from '../../domain/clock.js';

export interface MountReadsOptions {
  clock: Clock;
  /** How many calls were answered with 503 until now. */
  overloads(): number;
}

/** A quarter of what a server takes that answers sixteen requests at a time: others want something of it, too. */
const mostAtOnce = 4;
const pauseMs = 500;
/** What is left then waits for the next update, so that the queue is known meanwhile. */
const budgetMs = 5_000;

/**
 * How fast the mounts of new containers are read: a few at a time, fewer after each 503 with a pause, one more with
 * each update without.
 */
export class MountReads {
  readonly #options: MountReadsOptions;
  #atOnce = mostAtOnce;

  constructor(options: MountReadsOptions) {
    this.#options = options;
  }

  /** Calls `read`, which must not reject, for each item in order, or until the time is over unless all `must` be read. */
  async each<T>(items: readonly T[], read: (item: T) => Promise<void>, must: boolean): Promise<void> {
    if (items.length === 0) return;
    const { clock, overloads } = this.#options;
    const endAt = must ? Infinity : clock.now() + budgetMs;
    const before = overloads();
    const left = items.values();
    const work = async (index: number): Promise<void> => {
      for (const item of left) {
        const known = overloads();
        await read(item);
        if (overloads() > known) {
          this.#atOnce = Math.max(1, Math.floor(this.#atOnce / 2));
          await new Promise<void>((resolve) => void clock.setTimeout(resolve, pauseMs));
        }
        if (index >= this.#atOnce || clock.now() >= endAt) return;
      }
    };
    await Promise.all(Array.from({ length: this.#atOnce }, (_, index) => work(index)));
    if (overloads() === before) this.#atOnce = Math.min(mostAtOnce, this.#atOnce + 1);
  }
}
