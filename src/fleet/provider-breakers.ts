import type { Clock } from '../domain/clock.js';
import type { CallGate, GatedCall } from '../drivers/call-gate.js';
import { DriverError } from '../drivers/driver.js';
import type { BreakerView } from '../domain/breaker-view.js';
import { CircuitBreakers, type BreakerSettings } from './circuit-breakers.js';

const provider = 'provider';
const destroyPace = 'destroy and tag pace';
const failuresToOpen = 5;
const firstOpenMs = 1_000;
const longestOpenMs = 30_000;

/**
 * Keeps calls from a provider that cannot take them. Breaker `provider`: after several failures in a row, of whatever
 * calls, all calls are held, longer each time, and then one trial decides. Breaker `destroy and tag pace`: these calls
 * are held for as long as the provider asked of one of them (DW-3); the pool paces create and list calls itself (ER-2).
 */
export class ProviderBreakers implements CallGate {
  readonly #clock: Clock;
  readonly #breakers: CircuitBreakers;
  #calls = 0;
  #isStopped = false;

  /** `trialTimeoutMs`: how long a trial may take. */
  constructor({ clock, trialTimeoutMs }: { clock: Clock; trialTimeoutMs: number }) {
    this.#clock = clock;
    const settings: Record<string, BreakerSettings> = {
      [provider]: {
        failuresToOpen,
        firstOpenMs,
        longestOpenMs,
        trialTimeoutMs,
        describe: (failures, message) => `${failures} calls in a row failed: ${message}`,
      },
      [destroyPace]: { failuresToOpen: 1, firstOpenMs: 0, longestOpenMs: 0, trialTimeoutMs },
    };
    this.#breakers = new CircuitBreakers({ clock, onClosed: () => {}, settingsOf: (key) => settings[key]! });
  }

  admit(call: GatedCall): string {
    const id = String(++this.#calls);
    if (this.#isStopped) return id;
    const held = keysOf(call).find((key) => this.#breakers.isBlocked(key));
    if (held !== undefined) throw this.#heldError(held);
    for (const key of keysOf(call)) this.#breakers.send(key, 'started', id);
    return id;
  }

  succeeded(call: GatedCall, id: string): void {
    for (const key of keysOf(call)) this.#breakers.send(key, 'succeeded', id);
  }

  failed(call: GatedCall, id: string, { code, message, retryAt }: DriverError): void {
    if (this.#isStopped) return;
    const isPaced = code === 'rate-limited' && keysOf(call).includes(destroyPace);
    // A call that was aborted decides nothing: the next one is the trial. Every other answer shows that the provider answers.
    const ofProvider = code === 'aborted' ? 'abandoned' : 'succeeded';
    if (code === 'unavailable') this.#unavailable(id, message);
    else this.#breakers.send(provider, ofProvider, id);
    if (isPaced) {
      const forMs = Math.max(0, (retryAt ?? 0) - this.#clock.now());
      this.#breakers.failed(destroyPace, { call: id, message, forMs });
    } else if (call === 'destroy' || call === 'setTags') {
      const isAnswered = code !== 'aborted' && code !== 'unavailable';
      this.#breakers.send(destroyPace, isAnswered ? 'succeeded' : 'abandoned', id);
    }
  }

  views(): BreakerView[] {
    return this.#breakers.views();
  }

  /** Closes the breaker on behalf of an operator. Returns false for an unknown key. */
  reset(key: string): boolean {
    return this.#breakers.reset(key);
  }

  stop(): void {
    this.#isStopped = true;
    this.#breakers.stop();
  }

  /** The failures of calls that started before the breaker opened do not prolong it. */
  #unavailable(call: string, message: string): void {
    if (this.#breakers.stateOf(provider) !== 'open') this.#breakers.failed(provider, { call, message });
  }

  #heldError(key: string): DriverError {
    const retryAt = Math.max(this.#breakers.untilOf(key) ?? 0, this.#clock.now() + firstOpenMs);
    return new DriverError(
      'rate-limited',
      `calls are held (breaker "${key}"): ${this.#breakers.reasonOf(key)}`,
      {
        retryAt,
      },
    );
  }
}

function keysOf(call: GatedCall): string[] {
  return call === 'destroy' || call === 'setTags' ? [provider, destroyPace] : [provider];
}
