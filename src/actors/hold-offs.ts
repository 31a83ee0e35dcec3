import { createActor, type ActorRefFrom } from 'xstate';
import type { Clock } from '../domain/clock.js';
import { holdOffMachine, type HoldOffRefusal } from '../machines/hold-off.js';

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

export interface Refusal extends HoldOffRefusal {
  /** The call that was refused; not given: one that is never the trial. */
  call?: string;
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

  /** Trials of the key that were refused in a row. */
  refusedTrialsOf(key: string): number {
    return this.#actors.get(key)?.getSnapshot().context.refusedTrials ?? 0;
  }

  /** The provider said no; with a time of 0 or less it may be asked again at once. */
  refuse(key: string, { call = '', trialTimeoutMs, ...refusal }: Refusal): void {
    if (refusal.forMs <= 0) return this.tell(key, 'abandoned', call);
    const { clock } = this.#options;
    // Of two times the provider named, the later one counts; answers may have overtaken each other.
    if (!refusal.longestMs && clock.now() + refusal.forMs < (this.untilOf(key) ?? 0)) return;
    const actor = this.#actor(key, trialTimeoutMs);
    actor.send({ type: 'refused', call, ...refusal });
    const { value, context } = actor.getSnapshot();
    if (value === 'held') this.#until.set(key, clock.now() + context.heldForMs);
  }

  tell(key: string, type: 'tried' | 'succeeded' | 'abandoned', call: string): void {
    this.#actors.get(key)?.send({ type, call });
  }

  /** What it is held for may be over: one call may ask again. */
  ease(key: string): void {
    this.#actors.get(key)?.send({ type: 'eased' });
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
