import { steadyNow, type Clock } from '../domain/clock.js';
import type { HeapClock } from './heap-clock.js';

const never = new Promise<never>(() => {});

/** Where a process may die: before a call had its effect, or after it and before the answer. */
export interface DeathPlan {
  /** How many calls are made before. */
  afterCalls: number;
  when: 'before' | 'after';
}

/**
 * What ties one daemon process to the world. Once it is cut nothing of that process has an effect any more: its timers
 * do not fire, its calls are not made, and answers on their way to it are dropped, while what it asked for goes on.
 */
export class Lifeline {
  /** As the process sees the time: from the world's clock, set wrong by as much as somebody set it. */
  readonly clock: Clock;
  /** The same, for timers that disturb nobody. */
  readonly quietClock: Clock;
  readonly #heap: HeapClock;
  readonly #onCut: () => void;
  readonly #closers = new Set<() => void>();
  #isCut = false;
  #death: DeathPlan | undefined;

  constructor(heap: HeapClock, skewMs: () => number, onCut: () => void) {
    this.#heap = heap;
    this.#onCut = onCut;
    const now = steadyNow(
      () => heap.now() + skewMs(),
      () => heap.now(),
    );
    const clockOf = (timers: Clock): Clock => ({
      now,
      setTimeout: (callback, delayMs) =>
        timers.setTimeout(() => {
          if (!this.#isCut) callback();
        }, asNodeWaits(delayMs)),
      clearTimeout: (handle) => timers.clearTimeout(handle),
    });
    this.clock = clockOf(heap);
    this.quietClock = clockOf(heap.quiet);
  }

  /** It is cut, or a call may cut it. */
  get isDoomed(): boolean {
    return this.#isCut || this.#death !== undefined;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** True time, for what must not be fooled by a clock that is wrong. */
  now(): number {
    return this.#heap.now();
  }

  /** Dies at a call from now on. */
  dieAt(plan: DeathPlan): void {
    this.#death = plan;
  }

  /** A death that was planned does not come. */
  spare(): void {
    this.#death = undefined;
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    for (const close of this.#closers) close();
    this.#closers.clear();
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
    return new Promise((resolve, reject) => {
      answer.then(
        (value) => {
          if (!this.#isCut) resolve(value);
        },
        (error: unknown) => {
          if (!this.#isCut) reject(error);
        },
      );
    });
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
