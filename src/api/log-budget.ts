import type { Clock } from '../domain/clock.js';

/** Limits the log lines of a kind per interval, and counts the others. */
export class LogBudget {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #most: number;
  readonly #intervalMs: number;
  #beganAt = -Infinity;
  #written = 0;
  #left = 0;

  constructor(clock: Pick<Clock, 'now'>, { most, intervalMs }: { most: number; intervalMs: number }) {
    this.#clock = clock;
    this.#most = most;
    this.#intervalMs = intervalMs;
  }

  /** Calls `write` if the line is within the limit, with the number of lines left out before it. */
  spend(write: (leftOut: number) => void): void {
    const now = this.#clock.now();
    if (now - this.#beganAt >= this.#intervalMs) {
      this.#beganAt = now;
      this.#written = 0;
    }
    if (this.#written >= this.#most) {
      this.#left++;
      return;
    }
    this.#written++;
    const leftOut = this.#left;
    this.#left = 0;
    write(leftOut);
  }
}
