import TinyQueue from 'tinyqueue';
import type { Clock } from '../domain/clock.js';

interface Timer {
  dueAt: number;
  order: number;
  callback: () => void;
  cancelled: boolean;
}

const byDueTime = (a: Timer, b: Timer): number => a.dueAt - b.dueAt || a.order - b.order;

/**
 * A clock that stands still until told to go: heaps of deadlines, so that a step costs a logarithm of the timers. Timers
 * due at the same moment fire in the order they were set.
 */
export class HeapClock implements Clock {
  /** For timers that touch nothing but what set them, and wait for no promise; see {@link nextLoudAt}. */
  readonly quiet: Clock;
  #now: number;
  #order = 0;
  #live = 0;
  #isStirred = true;
  readonly #loud = new TinyQueue<Timer>([], byDueTime);
  readonly #quiet = new TinyQueue<Timer>([], byDueTime);

  constructor(startAt = 0) {
    this.#now = startAt;
    this.quiet = {
      now: () => this.#now,
      setTimeout: (callback, delayMs) => this.#set(this.#quiet, callback, delayMs),
      clearTimeout: (handle) => this.clearTimeout(handle),
    };
  }

  now(): number {
    return this.#now;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#live;
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    return this.#set(this.#loud, callback, delayMs);
  }

  clearTimeout(handle: unknown): void {
    const timer = handle as Timer | undefined;
    if (timer && !timer.cancelled) {
      timer.cancelled = true;
      this.#live--;
    }
  }

  /** When the next timer fires, or `undefined` when none waits. */
  nextAt(): number | undefined {
    const [loud, quiet] = [next(this.#loud), next(this.#quiet)];
    return loud && quiet ? Math.min(loud.dueAt, quiet.dueAt) : (loud ?? quiet)?.dueAt;
  }

  /** When the next one fires that is not quiet; until then nobody is disturbed. `Infinity` when none waits. */
  nextLoudAt(): number {
    return next(this.#loud)?.dueAt ?? Infinity;
  }

  /** A quiet timer did something that others may wait for. */
  stir(): void {
    this.#isStirred = true;
  }

  /** Jumps to the next deadline and fires one timer. False when none waits. */
  step(): boolean {
    const [loud, quiet] = [next(this.#loud), next(this.#quiet)];
    const isLoud = loud !== undefined && (quiet === undefined || byDueTime(loud, quiet) < 0);
    const timer = (isLoud ? this.#loud : this.#quiet).pop();
    if (!timer) return false;
    this.#now = Math.max(this.#now, timer.dueAt);
    timer.cancelled = true;
    this.#live--;
    if (isLoud) this.#isStirred = true;
    timer.callback();
    return true;
  }

  /** Lets promises settle, unless only quiet timers fired since it was called last. */
  async settled(): Promise<void> {
    if (!this.#isStirred) return;
    this.#isStirred = false;
    await settle();
  }

  /** Fires all that is due within `ms`, letting promises settle after each timer, and ends exactly `ms` later. */
  async advance(ms: number): Promise<void> {
    const endAt = this.#now + ms;
    await settle();
    for (let next = this.nextAt(); next !== undefined && next <= endAt; next = this.nextAt()) {
      this.step();
      await settle();
    }
    this.#now = endAt;
  }

  #set(heap: TinyQueue<Timer>, callback: () => void, delayMs: number): Timer {
    const timer: Timer = {
      // Whole milliseconds, as the system's clock shows them.
      dueAt: this.#now + Math.max(0, Math.ceil(delayMs || 0)),
      order: this.#order++,
      callback,
      cancelled: false,
    };
    this.#live++;
    heap.push(timer);
    return timer;
  }
}

/** The first one that is not cancelled; it stays. */
function next(heap: TinyQueue<Timer>): Timer | undefined {
  while (heap.peek()?.cancelled) heap.pop();
  return heap.peek();
}

/** Lets every promise that can settle without I/O do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
