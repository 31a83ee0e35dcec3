import type { Clock } from '../../domain/clock.js';
import { libsqlFault } from './libsql.js';
import { postgresFault } from './postgres.js';

export interface StoreHealthOptions {
  clock: Clock;
  /** Other daemons use it too, and its server can be mended while this one runs. */
  isShared: boolean;
  /** Damage was met for the first time. Must not throw. */
  onDamage(text: string): void;
}

/** A server whose damage was not met again for so long may be mended. */
const mendedAfterMs = 5 * 60_000;

/**
 * Whether the store is whole, by what its statements meet. An embedded one that is damaged stays so until the daemon is
 * started on a restored one; that statements succeed besides says nothing.
 */
export class StoreHealth {
  readonly #options: StoreHealthOptions;
  #damage: { text: string; since: number; lastAt: number } | undefined;
  #errors = 0;

  constructor(options: StoreHealthOptions) {
    this.#options = options;
  }

  /** How many statements met damage. */
  get errors(): number {
    return this.#errors;
  }

  /** A statement failed, for whatever reason. */
  failed(error: unknown): void {
    const fault = libsqlFault(error) ?? postgresFault(error);
    if (fault?.kind !== 'damaged') return;
    this.#errors++;
    this.damaged(fault.text);
  }

  /** The store is not what it was. `text`: cause and remedy. */
  damaged(text: string): void {
    const now = this.#options.clock.now();
    const known = this.fault();
    this.#damage =
      known && this.#damage ? { ...this.#damage, lastAt: now } : { text, since: now, lastAt: now };
    if (!known) this.#options.onDamage(text);
  }

  /** What is wrong, since when, and what to do; `undefined`: nothing known. */
  fault(): string | undefined {
    const { isShared, clock } = this.#options;
    if (this.#damage && isShared && clock.now() - this.#damage.lastAt > mendedAfterMs)
      this.#damage = undefined;
    if (!this.#damage) return undefined;
    const { text, since } = this.#damage;
    return `the store is damaged since ${new Date(since).toISOString()}: ${text}`;
  }
}
