import { createActor, type ActorRefFrom } from 'xstate';
import type { Clock } from '../domain/clock.js';
import { holdOffMachine } from '../machines/hold-off.js';

/** One hold-off, for people. */
export interface HoldOffView {
  /** `quota`, `create pace`, `list pace`, `capacity: …`, `boot: …` or `failing: …`. */
  key: string;
  state: 'held' | 'halfOpen' | 'trying';
  because: string;
  /** Epoch ms at which it opens by itself; `undefined` unless held. */
  until: number | undefined;
}

export interface HoldOffsOptions {
  clock: Clock;
  /** A hold-off ended. */
  onOpened(): void;
}

export interface Refusal {
  forMs: number;
  because: string;
  /** How long a trial may stay without an answer. */
  trialTimeoutMs: number;
}

type HoldOff = ActorRefFrom<typeof holdOffMachine>;

/** Breakers by key. One that nobody refused yet is open and takes no memory. */
export class HoldOffs {
  readonly #options: HoldOffsOptions;
  readonly #actors = new Map<string, HoldOff>();
  readonly #until = new Map<string, number>();

  constructor(options: HoldOffsOptions) {
    this.#options = options;
  }

  stateOf(key: string): 'open' | HoldOffView['state'] {
    return this.#actors.get(key)?.getSnapshot().value ?? 'open';
  }

  /** Held, or its one trial is under way. */
  isBlocked(key: string): boolean {
    const state = this.stateOf(key);
    return state === 'held' || state === 'trying';
  }

  isHalfOpen(key: string): boolean {
    return this.stateOf(key) === 'halfOpen';
  }

  /** Epoch ms at which a held one opens by itself. */
  untilOf(key: string): number | undefined {
    return this.stateOf(key) === 'held' ? this.#until.get(key) : undefined;
  }

  becauseOf(key: string): string {
    return this.#actors.get(key)?.getSnapshot().context.because ?? '';
  }

  /** The provider said no; a time of 0 or less is no refusal. */
  refuse(key: string, { forMs, because, trialTimeoutMs }: Refusal): void {
    if (forMs <= 0) return;
    this.#until.set(key, this.#options.clock.now() + forMs);
    this.#actor(key, trialTimeoutMs).send({ type: 'refused', forMs, because });
  }

  tell(key: string, type: 'tried' | 'succeeded' | 'abandoned'): void {
    this.#actors.get(key)?.send({ type });
  }

  /** Opens it at once. False: there is none of that key. */
  reset(key: string): boolean {
    this.#actors.get(key)?.send({ type: 'reset' });
    return this.#actors.has(key);
  }

  /** Those that are not open. */
  views(): HoldOffView[] {
    return [...this.#actors].flatMap(([key, actor]) => {
      const { value, context } = actor.getSnapshot();
      if (value === 'open') return [];
      return [{ key, state: value, because: context.because, until: this.untilOf(key) }];
    });
  }

  stop(): void {
    for (const actor of this.#actors.values()) actor.stop();
    this.#actors.clear();
  }

  #actor(key: string, trialTimeoutMs: number): HoldOff {
    const known = this.#actors.get(key);
    if (known) return known;
    const { clock, onOpened } = this.#options;
    const actor = createActor(holdOffMachine, { input: { trialTimeoutMs }, clock: clock });
    actor.on('holdOff.opened', onOpened);
    actor.start();
    this.#actors.set(key, actor);
    return actor;
  }
}
