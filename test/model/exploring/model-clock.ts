import type { AnyActorRef } from 'xstate';
import type { Clock } from '../../../src/domain/clock.js';
import { pendingTimers } from '../../../src/machines/inspection/pending-timers.js';
import { HeapClock } from '../../../src/simulation/heap-clock.js';

/** A clock for worlds without promises: time passes within one call, and it can be asked what is due when. */
export class ModelClock implements Clock {
  readonly #heap: HeapClock;
  readonly #due = new Map<unknown, number>();

  constructor(startAt: number) {
    this.#heap = new HeapClock(startAt);
  }

  now(): number {
    return this.#heap.now();
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    const handle = this.#heap.setTimeout(() => {
      this.#due.delete(handle);
      callback();
    }, delayMs);
    this.#due.set(handle, this.now() + delayMs);
    return handle;
  }

  clearTimeout(handle: unknown): void {
    this.#due.delete(handle);
    this.#heap.clearTimeout(handle);
  }

  pass(ms: number): void {
    const endAt = this.now() + ms;
    this.#heap.setTimeout(() => {}, ms);
    for (let next = this.#heap.nextAt(); next !== undefined && next <= endAt; next = this.#heap.nextAt())
      this.#heap.step();
  }

  /** The step that lets the next wait end. */
  nextStep(): string[] {
    const next = this.#heap.nextAt();
    return next === undefined ? [] : [`pass ${next - this.now()}`];
  }

  /** How far off each wait's end is, in steps of so many ms. */
  waits(stepMs: number): number[] {
    return [...this.#due.values()].map((at) => Math.floor((at - this.now()) / stepMs)).sort((a, b) => a - b);
  }
}

/** What the actor waits for by time. Actors begun outside the roster date that by the process's own clock: only names count. */
export function timerNames(actor: AnyActorRef): string[] {
  return pendingTimers(actor)
    .map(({ name, state }) => `${name} ${state}`)
    .sort();
}
