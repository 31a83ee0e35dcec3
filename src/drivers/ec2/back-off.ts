import type { Clock } from '../../domain/clock.js';

const longestMs = 60_000;
const stepMs = 1_000;

/** How long requests of one kind had better wait: longer with each refusal for their rate, none after a success (EC-70). */
export class BackOff {
  readonly #clock: Clock;
  #delayMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A request was refused for its rate. The earliest time for another, epoch ms. */
  refused(): number {
    this.#delayMs = Math.min(longestMs, this.#delayMs * 1.5 + stepMs);
    return this.#clock.now() + this.#delayMs;
  }

  over(): void {
    this.#delayMs = 0;
  }
}
