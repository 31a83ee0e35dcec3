import type { Clock } from '../../domain/clock.js';
import { DriverError, type Driver } from '../driver.js';

interface Waiter {
  admit: () => void;
  isUrgent: boolean;
}

/**
 * One token bucket for all calls of a driver (L-42, DD-3). A second's worth may be used at once, and destroying goes
 * before everything else: it is what saves money and frees quota (DW-22). 0 or less: no limit.
 */
export function withRateLimit(driver: Driver, opsPerSecond: number, clock: Clock): Driver {
  if (opsPerSecond <= 0) return driver;
  const bucket = new TokenBucket(opsPerSecond, clock);
  return {
    name: driver.name,
    create: async (spec, options) => {
      await bucket.take(options.signal, false);
      return driver.create(spec, options);
    },
    list: async (tags, options) => {
      await bucket.take(options.signal, false);
      return driver.list(tags, options);
    },
    destroy: async (id, options) => {
      await bucket.take(options.signal, true);
      return driver.destroy(id, options);
    },
    setTags: async (id, tags, options) => {
      await bucket.take(options.signal, false);
      return driver.setTags(id, tags, options);
    },
    verifyHostKey: (instance, key, options) => driver.verifyHostKey(instance, key, options),
    priceHistory: (instance, type) => driver.priceHistory(instance, type),
    quotaGroup: (type) => driver.quotaGroup(type),
    stop: () => driver.stop(),
  };
}

class TokenBucket {
  readonly #rate: number;
  readonly #clock: Clock;
  readonly #waiting: Waiter[] = [];
  #tokens: number;
  #filledAt: number;
  #timer: unknown;

  constructor(rate: number, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#tokens = Math.max(1, rate);
    this.#filledAt = clock.now();
  }

  take(signal: AbortSignal, isUrgent: boolean): Promise<void> {
    const aborted = (): DriverError =>
      new DriverError('aborted', 'the call was given up while it waited for its turn');
    if (signal.aborted) return Promise.reject(aborted());
    return new Promise((resolve, reject) => {
      const waiter = {
        isUrgent,
        admit: () => {
          signal.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(aborted());
      };
      signal.addEventListener('abort', giveUp, { once: true });
      const place = isUrgent ? this.#waiting.findIndex((other) => !other.isUrgent) : -1;
      this.#waiting.splice(place === -1 ? this.#waiting.length : place, 0, waiter);
      this.#serve();
    });
  }

  #serve(): void {
    const now = this.#clock.now();
    this.#tokens = Math.min(
      Math.max(1, this.#rate),
      this.#tokens + ((now - this.#filledAt) * this.#rate) / 1_000,
    );
    this.#filledAt = now;
    while (this.#tokens >= 1 && this.#waiting.length > 0) {
      this.#tokens--;
      this.#waiting.shift()!.admit();
    }
    if (this.#waiting.length === 0 || this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined;
        this.#serve();
      },
      Math.ceil(((1 - this.#tokens) * 1_000) / this.#rate),
    );
  }
}
