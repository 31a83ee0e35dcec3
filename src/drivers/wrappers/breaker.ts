import { createActor, type ActorRefFrom } from 'xstate';
import type { Clock } from '../../domain/clock.js';
import { holdOffMachine, type HoldOffRefusal } from '../../machines/hold-off.js';
import { DriverError, type Driver } from '../driver.js';
import { delegate } from './delegate.js';

/** One breaker that is not open, for people. */
export interface BreakerView {
  key: string;
  state: 'held' | 'halfOpen' | 'trying';
  because: string;
  /** Epoch ms at which one call is let through; `undefined` unless held. */
  until: number | undefined;
}

interface Breaker {
  actor: ActorRefFrom<typeof holdOffMachine>;
  until: number;
}

const providerKey = 'provider';
const ordersKey = 'destroy and tag pace';
const failuresToHold = 5;
const firstHoldMs = 1_000;
const longestHoldMs = 30_000;

/**
 * Keeps calls from a provider that cannot take them. `provider`: after several failures in a row, whatever was called,
 * everything waits, longer each time, and then one call decides. `destroy and tag pace`: these calls wait as long as
 * the provider said of one of them (DW-3); the pool paces creating and listing itself (ER-2). A refused call fails as
 * `rate-limited`, and was not made.
 */
export class Breakers {
  readonly #clock: Clock;
  readonly #breakers = new Map<string, Breaker>();
  #failures = 0;
  #calls = 0;
  #isStopped = false;

  /** `trialTimeoutMs`: how long the deciding call may take. */
  constructor({ clock, trialTimeoutMs }: { clock: Clock; trialTimeoutMs: number }) {
    this.#clock = clock;
    for (const key of [providerKey, ordersKey]) {
      const actor = createActor(holdOffMachine, { input: { trialTimeoutMs }, clock });
      this.#breakers.set(key, { actor: actor.start(), until: 0 });
    }
  }

  async pass<T>(isOrder: boolean, call: () => Promise<T>): Promise<T> {
    if (this.#isStopped) return call();
    const keys = isOrder ? [providerKey, ordersKey] : [providerKey];
    for (const key of keys) this.#refuseWhileHeld(key);
    const id = String(++this.#calls);
    this.#tell(keys, 'tried', id);
    try {
      const result = await call();
      this.#answered(keys, id);
      return result;
    } catch (error) {
      this.#failed(keys, id, DriverError.from(error));
      throw error;
    }
  }

  views(): BreakerView[] {
    return [...this.#breakers].flatMap(([key, { actor, until }]) => {
      const { value, context } = actor.getSnapshot();
      if (value === 'open') return [];
      return [{ key, state: value, because: context.because, until: value === 'held' ? until : undefined }];
    });
  }

  /** An operator's word. False: there is no such breaker. */
  reset(key: string): boolean {
    const breaker = this.#breakers.get(key);
    if (!breaker) return false;
    breaker.actor.send({ type: 'reset' });
    this.#failures = 0;
    return true;
  }

  stop(): void {
    this.#isStopped = true;
    for (const { actor } of this.#breakers.values()) actor.stop();
  }

  #refuseWhileHeld(key: string): void {
    const { actor, until } = this.#of(key);
    const { value, context } = actor.getSnapshot();
    if (value === 'open' || value === 'halfOpen') return;
    throw new DriverError('rate-limited', `the provider is not asked now: ${context.because}`, {
      retryAt: Math.max(until, this.#clock.now() + firstHoldMs),
    });
  }

  #answered(keys: readonly string[], call: string): void {
    this.#tell(keys, 'succeeded', call);
    // Of calls that were under way when the hold began, the answer says little of now.
    if (this.#stateOf(providerKey) !== 'open') return;
    this.#failures = 0;
  }

  #failed(keys: readonly string[], call: string, { code, message, retryAt }: DriverError): void {
    // A call given up decides nothing: the next one is the trial.
    if (code === 'aborted') return this.#tell(keys, 'abandoned', call);
    if (code === 'unavailable') return this.#unanswered(keys, call, message);
    const isPaced = code === 'rate-limited' && keys.includes(ordersKey);
    this.#answered(isPaced ? [providerKey] : keys, call);
    if (!isPaced) return;
    const forMs = Math.max(0, (retryAt ?? 0) - this.#clock.now());
    this.#hold(ordersKey, { call, forMs, because: message });
  }

  #unanswered(keys: readonly string[], call: string, message: string): void {
    this.#tell(
      keys.filter((key) => key !== providerKey),
      'abandoned',
      call,
    );
    // Of calls that were under way when the hold began.
    if (this.#stateOf(providerKey) === 'held') return;
    this.#failures++;
    if (this.#failures < failuresToHold && this.#stateOf(providerKey) === 'open') return;
    const because = `it failed ${this.#failures} times in a row: ${message}`;
    this.#hold(providerKey, { call, forMs: firstHoldMs, longestMs: longestHoldMs, because });
  }

  #tell(keys: readonly string[], type: 'tried' | 'succeeded' | 'abandoned', call: string): void {
    if (this.#isStopped) return;
    for (const key of keys) this.#of(key).actor.send({ type, call });
  }

  #hold(key: string, refusal: HoldOffRefusal & { call: string }): void {
    if (this.#isStopped) return;
    const breaker = this.#of(key);
    breaker.actor.send({ type: 'refused', ...refusal });
    const { value, context } = breaker.actor.getSnapshot();
    if (value === 'held') breaker.until = this.#clock.now() + context.heldForMs;
  }

  #stateOf(key: string): 'open' | 'held' | 'halfOpen' | 'trying' {
    return this.#of(key).actor.getSnapshot().value;
  }

  #of(key: string): Breaker {
    return this.#breakers.get(key)!;
  }
}

/** The driver behind the breakers, which stop with it. */
export function withBreakers(driver: Driver, breakers: Breakers): Driver {
  return {
    ...delegate(driver),
    create: (spec, options) => breakers.pass(false, () => driver.create(spec, options)),
    list: (tags, options) => breakers.pass(false, () => driver.list(tags, options)),
    destroy: (id, options) => breakers.pass(true, () => driver.destroy(id, options)),
    setTags: (id, tags, options) => breakers.pass(true, () => driver.setTags(id, tags, options)),
    stop: () => {
      breakers.stop();
      return driver.stop();
    },
  };
}
