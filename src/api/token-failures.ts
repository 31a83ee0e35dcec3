import type { Logger } from 'pino';
import type { Clock } from '../domain/clock.js';
import type { Journal } from '../journal/journal.js';
import type { Metrics } from '../observability/metrics.js';
import { clientGroup } from './client-address.js';

/** Burst of wrong tokens per address, and the number allowed per minute. */
const failuresPerMinute = 20;
const minuteMs = 60_000;
/** Minimum interval between two journal entries. */
const reportMs = 60_000;
const mostAddresses = 10_000;
const namedAddresses = 10;

export interface TokenFailuresOptions {
  clock: Clock;
  journal: Pick<Journal, 'append'>;
  log: Logger;
  metrics: Pick<Metrics, 'clientRefused'>;
}

/**
 * Counts wrong tokens: in a metric, in one journal entry per interval, and per address, whose requests are rejected above
 * the limit. A right token is never counted or delayed.
 */
export class TokenFailures {
  readonly #options: TokenFailuresOptions;
  /** Remaining allowance of each address, with the time of the count; oldest first. */
  readonly #budgets = new Map<string, { left: number; at: number }>();
  #counts = new Map<string, number>();
  #timer: unknown;

  constructor(options: TokenFailuresOptions) {
    this.#options = options;
  }

  /** Records a wrong token. Returns after how many seconds the address may try again; `undefined`: now. */
  record(address: string): number | undefined {
    const { clock, metrics } = this.#options;
    const group = clientGroup(address);
    metrics.clientRefused('wrong-token');
    this.#count(group);
    const now = clock.now();
    const { left, at } = this.#budgets.get(group) ?? { left: failuresPerMinute, at: now };
    const refilled = Math.min(failuresPerMinute, left + ((now - at) / minuteMs) * failuresPerMinute);
    this.#budgets.delete(group);
    this.#budgets.set(group, { left: Math.max(0, refilled - 1), at: now });
    for (const oldest of this.#budgets.keys()) {
      if (this.#budgets.size <= mostAddresses) break;
      this.#budgets.delete(oldest);
    }
    if (refilled >= 1) return undefined;
    metrics.clientRefused('rate');
    return Math.ceil(((1 - refilled) * minuteMs) / failuresPerMinute / 1_000);
  }

  /** Writes the pending counts. */
  stop(): void {
    this.#options.clock.clearTimeout(this.#timer);
    if (this.#counts.size > 0) this.#report();
  }

  #count(group: string): void {
    const key = this.#counts.has(group) || this.#counts.size < mostAddresses ? group : 'others';
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    if (this.#timer !== undefined) return;
    this.#report();
    this.#arm();
  }

  #arm(): void {
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#timer = undefined;
      if (this.#counts.size === 0) return;
      this.#report();
      this.#arm();
    }, reportMs);
  }

  #report(): void {
    const { clock, journal, log } = this.#options;
    const counted = [...this.#counts].sort(([, a], [, b]) => b - a);
    this.#counts = new Map();
    const count = counted.reduce((sum, [, each]) => sum + each, 0);
    const addresses = Object.fromEntries(counted.slice(0, namedAddresses));
    const because =
      `${count} ${count === 1 ? 'request' : 'requests'} with a wrong management token ` +
      `from ${counted.length} ${counted.length === 1 ? 'address' : 'addresses'}`;
    journal.append({ at: clock.now(), kind: 'api.refused', because, data: { count, addresses } });
    log.warn({ component: 'api', count, addresses }, 'wrong management tokens');
  }
}
