import type { Clock } from '../../domain/clock.js';
import { abortError } from '../abortable.js';
import type { CallOptions, Driver } from '../driver.js';
import { delegate } from './delegate.js';

interface Waiter {
  admit: () => void;
}

/** So many destroy calls may go first while others wait; then one of those has its turn. */
const urgentInARow = 4;

/**
 * One pace for all calls of a driver: in any t seconds at most `opsPerSecond` × t + 1 (L-42, DD-3, T-96). Destroying
 * goes before everything else, as it saves money and frees quota (DW-22). 0 or less: no limit.
 */
export function withRateLimit(driver: Driver, opsPerSecond: number, clock: Clock): Driver {
  if (opsPerSecond <= 0) return driver;
  const turns = new Turns(1_000 / opsPerSecond, clock);
  const inTurn =
    (isUrgent: boolean) =>
    async <T>({ signal }: CallOptions, call: () => Promise<T>): Promise<T> => {
      await turns.take(signal, isUrgent);
      return call();
    };
  const urgent = inTurn(true);
  const patient = inTurn(false);
  return {
    ...delegate(driver),
    create: (spec, options) => patient(options, () => driver.create(spec, options)),
    list: (tags, options) => patient(options, () => driver.list(tags, options)),
    destroy: (id, options) => urgent(options, () => driver.destroy(id, options)),
    setTags: (id, tags, options) => patient(options, () => driver.setTags(id, tags, options)),
  };
}

class Turns {
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #urgent: Waiter[] = [];
  readonly #patient: Waiter[] = [];
  #nextAt = -Infinity;
  #urgentSince = 0;
  #timer: unknown;

  constructor(intervalMs: number, clock: Clock) {
    this.#intervalMs = intervalMs;
    this.#clock = clock;
  }

  take(signal: AbortSignal, isUrgent: boolean): Promise<void> {
    if (signal.aborted) return Promise.reject(abortError(signal, 'the call, while it waited for its turn,'));
    const line = isUrgent ? this.#urgent : this.#patient;
    return new Promise((resolve, reject) => {
      const waiter = {
        admit: () => {
          signal.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      const giveUp = (): void => {
        line.splice(line.indexOf(waiter), 1);
        reject(abortError(signal, 'the call, while it waited for its turn,'));
      };
      signal.addEventListener('abort', giveUp, { once: true });
      line.push(waiter);
      this.#serve();
    });
  }

  #serve(): void {
    const now = this.#clock.now();
    if (now >= this.#nextAt) {
      const waiter = this.#next();
      if (!waiter) return;
      this.#nextAt = now + this.#intervalMs;
      waiter.admit();
    }
    const isIdle = this.#urgent.length + this.#patient.length === 0;
    if (isIdle || this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined;
        this.#serve();
      },
      Math.ceil(this.#nextAt - now),
    );
  }

  #next(): Waiter | undefined {
    const isPatientDue = this.#patient.length > 0 && this.#urgentSince >= urgentInARow;
    const isUrgent = this.#urgent.length > 0 && !isPatientDue;
    this.#urgentSince = isUrgent ? this.#urgentSince + 1 : 0;
    return isUrgent ? this.#urgent.shift() : this.#patient.shift();
  }
}
