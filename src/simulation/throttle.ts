/** A provider's throttle: a bucket that calls are taken from and that fills at its own pace. */
export class Throttle {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledAt: number;

  /** `perSecond` 0: no throttle. */
  constructor(burst: number, perSecond: number, now: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#tokens = burst;
    this.#filledAt = now;
  }

  /** `undefined` when the call is let through; else when to come back, epoch ms. */
  take(now: number): number | undefined {
    if (this.#perSecond <= 0) return undefined;
    const filled = this.#tokens + ((now - this.#filledAt) * this.#perSecond) / 1_000;
    this.#tokens = Math.min(this.#burst, filled);
    this.#filledAt = now;
    if (this.#tokens >= 1) {
      this.#tokens--;
      return undefined;
    }
    return now + Math.ceil(((1 - this.#tokens) * 1_000) / this.#perSecond);
  }

  /** The bucket runs dry: somebody else used it up. */
  drain(): void {
    this.#tokens = 0;
  }
}
