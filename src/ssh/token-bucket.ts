export interface TokenBucketOptions {
  perSecond: number;
  /** At once. */
  burst: number;
  /** Ms. */
  now: () => number;
}

/** A token bucket: as many at once as it holds, and as many a second as flow into it. */
export class TokenBucket {
  readonly #options: TokenBucketOptions;
  #left: number;
  #at: number;

  constructor(options: TokenBucketOptions) {
    this.#options = options;
    this.#left = options.burst;
    this.#at = options.now();
  }

  /** Takes so many, in any case. False when that is faster than allowed. */
  take(count: number): boolean {
    const { perSecond, burst } = this.#options;
    const now = this.#options.now();
    const gained = (Math.max(0, now - this.#at) / 1_000) * perSecond;
    this.#left = Math.min(burst, this.#left + gained) - count;
    this.#at = now;
    return this.#left >= 0;
  }
}
