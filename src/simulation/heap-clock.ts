import type { Clock } from '../domain/clock.js';

interface Timer {
  dueAt: number;
  order: number;
  callback: () => void;
  cancelled: boolean;
}

/**
 * A clock that stands still until told to go: a binary heap of deadlines, so that a step costs a logarithm of the
 * timers. Timers due at the same moment fire in the order they were set.
 */
export class HeapClock implements Clock {
  #now: number;
  #order = 0;
  #live = 0;
  readonly #heap: Timer[] = [];

  constructor(startAt = 0) {
    this.#now = startAt;
  }

  now(): number {
    return this.#now;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#live;
  }

  setTimeout(callback: () => void, delayMs: number): unknown {
    const timer: Timer = {
      // Whole milliseconds, as the system's clock shows them.
      dueAt: this.#now + Math.max(0, Math.ceil(delayMs || 0)),
      order: this.#order++,
      callback,
      cancelled: false,
    };
    this.#live++;
    this.#push(timer);
    return timer;
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
    this.#dropCancelled();
    return this.#heap[0]?.dueAt;
  }

  /** Jumps to the next deadline and fires one timer. False when none waits. */
  step(): boolean {
    this.#dropCancelled();
    const timer = this.#pop();
    if (!timer) return false;
    this.#now = Math.max(this.#now, timer.dueAt);
    timer.cancelled = true;
    this.#live--;
    timer.callback();
    return true;
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

  #dropCancelled(): void {
    while (this.#heap[0]?.cancelled) this.#pop();
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let index = heap.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isEarlier(timer, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = timer;
  }

  #pop(): Timer | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const child = right < heap.length && isEarlier(heap[right]!, heap[left]!) ? right : left;
      if (!isEarlier(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isEarlier(a: Timer, b: Timer): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);
}

/** Lets every promise that can settle without I/O do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
