import { createActor, type ActorRefFrom } from 'xstate';
import type { BreakerView } from '../domain/breaker-view.js';
import type { Clock } from '../domain/clock.js';
import { circuitBreakerMachine } from '../machines/circuit-breaker.js';

/** What opens a breaker, for how long, and what it says. */
export interface BreakerSettings {
  /** Consecutive failures that open it; 0: none do. */
  failuresToOpen: number;
  /** How long it stays open, ms, where the failure names no time. */
  firstOpenMs: number;
  /** Each failed trial doubles the time, up to this, ms; 0: the time stays as it is. */
  longestOpenMs: number;
  trialTimeoutMs: number;
  /** Sentence for operators from the consecutive failures and the last message; default: the message. */
  describe?(failures: number, message: string): string;
}

export interface CircuitBreakersOptions {
  clock: Clock;
  settingsOf(key: string): BreakerSettings;
  /** Called when requests may pass again at a breaker that was open. */
  onClosed(): void;
}

export interface BreakerFailed {
  /** The call that failed; not given: one that is never the trial. */
  call?: string;
  message: string;
  /** How long the provider asks to wait, ms; with 0 or less the failure decides nothing. */
  forMs?: number;
}

interface Breaker {
  actor: ActorRefFrom<typeof circuitBreakerMachine>;
  settings: BreakerSettings;
  /** Epoch ms; holds only while the breaker is open. */
  until: number;
}

/** Circuit breakers by key. A key without a failure has a closed breaker that takes no memory. */
export class CircuitBreakers {
  readonly #options: CircuitBreakersOptions;
  readonly #breakers = new Map<string, Breaker>();

  constructor(options: CircuitBreakersOptions) {
    this.#options = options;
  }

  stateOf(key: string): 'closed' | BreakerView['state'] {
    return this.#breakers.get(key)?.actor.getSnapshot().value ?? 'closed';
  }

  /** Open, or its one trial is under way. */
  isBlocked(key: string): boolean {
    const state = this.stateOf(key);
    return state === 'open' || state === 'probing';
  }

  isHalfOpen(key: string): boolean {
    return this.stateOf(key) === 'halfOpen';
  }

  /** Epoch ms at which an open one allows a trial. */
  untilOf(key: string): number | undefined {
    return this.stateOf(key) === 'open' ? this.#breakers.get(key)!.until : undefined;
  }

  reasonOf(key: string): string {
    const breaker = this.#breakers.get(key);
    if (!breaker) return '';
    const { reason, failures } = breaker.actor.getSnapshot().context;
    return breaker.settings.describe?.(failures, reason) ?? reason;
  }

  /** Consecutive trials of the key that failed. */
  failedTrialsOf(key: string): number {
    return this.#breakers.get(key)?.actor.getSnapshot().context.failedTrials ?? 0;
  }

  failed(key: string, { call = '', message, forMs }: BreakerFailed): void {
    if (forMs !== undefined && forMs <= 0) return this.send(key, 'abandoned', call);
    const breaker = this.#breaker(key);
    const { firstOpenMs, longestOpenMs } = breaker.settings;
    const failure = { forMs: forMs ?? firstOpenMs, longestMs: longestOpenMs, reason: message };
    const { clock } = this.#options;
    // Answers may arrive out of order: the latest of the times that the provider named counts.
    if (longestOpenMs === 0 && clock.now() + failure.forMs < (this.untilOf(key) ?? 0)) return;
    breaker.actor.send({ type: 'failed', call, ...failure });
    const { value, context } = breaker.actor.getSnapshot();
    if (value === 'open') breaker.until = clock.now() + context.openForMs;
  }

  send(key: string, type: 'started' | 'succeeded' | 'abandoned', call: string): void {
    this.#breakers.get(key)?.actor.send({ type, call });
  }

  /** The cause may be over: an open breaker allows one trial. */
  ease(key: string): void {
    this.#breakers.get(key)?.actor.send({ type: 'eased' });
  }

  /** Closes it at once and forgets its failures. Returns false for an unknown key. */
  reset(key: string): boolean {
    this.#breakers.get(key)?.actor.send({ type: 'reset' });
    return this.#breakers.has(key);
  }

  /** Those that are not closed. */
  views(): BreakerView[] {
    return [...this.#breakers.keys()].flatMap((key) => {
      const state = this.stateOf(key);
      return state === 'closed' ? [] : [{ key, state, reason: this.reasonOf(key), until: this.untilOf(key) }];
    });
  }

  stop(): void {
    for (const { actor } of this.#breakers.values()) actor.stop();
    this.#breakers.clear();
  }

  #breaker(key: string): Breaker {
    const known = this.#breakers.get(key);
    if (known) return known;
    const { clock, onClosed, settingsOf } = this.#options;
    const settings = settingsOf(key);
    const actor = createActor(circuitBreakerMachine, { input: settings, clock });
    actor.on('breaker.closed', onClosed);
    const breaker: Breaker = { actor: actor.start(), settings, until: 0 };
    this.#breakers.set(key, breaker);
    return breaker;
  }
}
