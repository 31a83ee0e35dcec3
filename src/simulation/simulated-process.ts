import { steadyNow, type Clock } from '../domain/clock.js';
import type { HeapClock } from './heap-clock.js';

const never = new Promise<never>(() => {});

/** Where a process may die: before a call had its effect, or after it and before the answer. */
export interface DeathPlan {
  /** How many calls are made before. */
  afterCalls: number;
  when: 'before' | 'after';
}

/** Where a process stands still: after a call had its effect. */
export interface FreezePlan {
  /** How many calls are made before. */
  afterCalls: number;
  /** It stands still now. */
  onFrozen(): void;
}

interface Timer {
  handle: unknown;
  isCleared: boolean;
}

/**
 * What ties one daemon process to the world. Once it is cut nothing of that process has an effect any more: its timers
 * do not fire, its calls are not made, and answers on their way to it are dropped, while what it asked for goes on. While
 * it stands still, as under SIGSTOP, all that would have reached it waits.
 */
export class Lifeline {
  /** As the process sees the time: from the world's clock, set wrong by as much as somebody set it. */
  readonly clock: Clock;
  /** The same, for timers that disturb nobody. */
  readonly quietClock: Clock;
  readonly #heap: HeapClock;
  readonly #onCut: () => void;
  readonly #closers = new Set<() => void>();
  readonly #waiting: (() => void)[] = [];
  #isCut = false;
  #isFrozen = false;
  #death: DeathPlan | undefined;
  #freeze: FreezePlan | undefined;

  constructor(heap: HeapClock, skewMs: () => number, onCut: () => void) {
    this.#heap = heap;
    this.#onCut = onCut;
    const now = steadyNow(
      () => heap.now() + skewMs(),
      () => heap.now(),
    );
    const clockOf = (timers: Clock): Clock => ({
      now,
      setTimeout: (callback, delayMs) => {
        const timer: Timer = { handle: undefined, isCleared: false };
        const fire = (): void => {
          if (!timer.isCleared) callback();
        };
        timer.handle = timers.setTimeout(() => this.deliver(fire), asNodeWaits(delayMs));
        return timer;
      },
      clearTimeout: (handle) => {
        const timer = handle as Timer | undefined;
        if (!timer) return;
        timer.isCleared = true;
        timers.clearTimeout(timer.handle);
      },
    });
    this.clock = clockOf(heap);
    this.quietClock = clockOf(heap.quiet);
  }

  /** It is cut, or a call may cut it, or make it stand still. */
  get isDoomed(): boolean {
    return this.#isCut || this.#isFrozen || this.#death !== undefined || this.#freeze !== undefined;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** True time, for what must not be fooled by a clock that is wrong. */
  now(): number {
    return this.#heap.now();
  }

  /** Dies at a call from now on. */
  dieAt(plan: DeathPlan): void {
    this.#death = plan;
  }

  /** Stands still after a call from now on. */
  freezeAt(plan: FreezePlan): void {
    if (!this.#isFrozen) this.#freeze = plan;
  }

  /** Goes on: what waited arrives, in its order. */
  thaw(): void {
    this.#isFrozen = false;
    for (const arrive of this.#waiting.splice(0)) this.#heap.setTimeout(() => this.deliver(arrive), 0);
  }

  /** Something reaches the process: now, or when it goes on; never once it is cut. */
  deliver(arrive: () => void): void {
    if (this.#isCut) return;
    if (this.#isFrozen) this.#waiting.push(arrive);
    else arrive();
  }

  /** What was planned for it does not come. */
  spare(): void {
    this.#death = undefined;
    this.#freeze = undefined;
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    for (const close of this.#closers) close();
    this.#closers.clear();
    this.#waiting.length = 0;
    this.#onCut();
  }

  /** Called when the line is cut, unless the returned function was called before. */
  onCut(close: () => void): () => void {
    this.#closers.add(close);
    return () => this.#closers.delete(close);
  }

  /** One call that leaves the process. Never settles once the line is cut. */
  call<T>(effect: () => Promise<T>): Promise<T> {
    if (this.#isCut || this.#diesNow('before')) return never;
    const answer = effect();
    if (this.#diesNow('after')) {
      answer.catch(() => {});
      return never;
    }
    this.#freezeNow();
    return new Promise((resolve, reject) => {
      answer.then(
        (value) => this.deliver(() => resolve(value)),
        (error: unknown) => this.deliver(() => reject(error)),
      );
    });
  }

  #freezeNow(): void {
    const plan = this.#freeze;
    if (!plan || plan.afterCalls-- > 0) return;
    this.#freeze = undefined;
    this.#isFrozen = true;
    plan.onFrozen();
  }

  #diesNow(when: DeathPlan['when']): boolean {
    const death = this.#death;
    if (death?.when !== when || death.afterCalls-- > 0) return false;
    this.cut();
    return true;
  }
}

/** Whole milliseconds, and one at least. */
function asNodeWaits(delayMs: number): number {
  return Math.max(1, Math.trunc(delayMs || 0));
}
