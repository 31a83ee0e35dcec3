import TinyQueue from 'tinyqueue';

/** How many probes a second let each worker be probed once in each interval; 10 at least. */
export function autoProbeRate(workers: number, intervalMs: number): number {
  return Math.max(10, Math.ceil((workers * 1_000) / intervalMs));
}

interface Due {
  id: string;
  dueAt: number;
  isUrgent: boolean;
  order: number;
  /** Replaced by a newer wish, removed or taken: the heaps drop it when they come upon it. */
  isVoid: boolean;
}

const byDueTime = (a: Due, b: Due): number => a.dueAt - b.dueAt || a.order - b.order;
const byTurn = (a: Due, b: Due): number => Number(b.isUrgent) - Number(a.isUrgent) || byDueTime(a, b);

/** Beyond this many void ones for each that counts, the heaps are built anew. */
const mostVoidShare = 4;

/**
 * Whose turn it is to be probed: the urgent first, then by due time, all out of one token bucket, so that in `t`
 * seconds no more than `rate * t + 1` begin (P-2, P-3, K-2). Each step costs a logarithm of those that wait.
 */
export class ProbePacer {
  readonly #due = new Map<string, Due>();
  /** Not due when last looked at. */
  #later = new TinyQueue<Due>([], byDueTime);
  /** Due: only tokens are missing. */
  #ready = new TinyQueue<Due>([], byTurn);
  #rate: number;
  #tokens = 1;
  #filledAt: number;
  #order = 0;

  constructor(ratePerSecond: number, now: number) {
    this.#rate = ratePerSecond;
    this.#filledAt = now;
  }

  get size(): number {
    return this.#due.size;
  }

  setRate(ratePerSecond: number, now: number): void {
    this.#fill(now);
    this.#rate = ratePerSecond;
  }

  /** One that waits already takes the earlier of both times, and stays urgent. */
  schedule(id: string, dueAt: number, isUrgent: boolean): void {
    const known = this.#due.get(id);
    if (known && known.dueAt <= dueAt && (known.isUrgent || !isUrgent)) return;
    if (known) known.isVoid = true;
    const due: Due = {
      id,
      dueAt: known ? Math.min(known.dueAt, dueAt) : dueAt,
      isUrgent: isUrgent || (known?.isUrgent ?? false),
      order: known?.order ?? this.#order++,
      isVoid: false,
    };
    this.#due.set(id, due);
    this.#later.push(due);
    this.#tidy();
  }

  remove(id: string): void {
    const known = this.#due.get(id);
    if (known) known.isVoid = true;
    this.#due.delete(id);
  }

  /** Those whose turn is now; they wait no more. */
  take(now: number): string[] {
    this.#fill(now);
    for (let due = top(this.#later); due && due.dueAt <= now; due = top(this.#later)) {
      this.#ready.push(this.#later.pop()!);
    }
    const taken: string[] = [];
    while (this.#tokens >= 1 && top(this.#ready)) {
      const due = this.#ready.pop()!;
      due.isVoid = true;
      this.#due.delete(due.id);
      this.#tokens -= 1;
      taken.push(due.id);
    }
    return taken;
  }

  /** When `take` is worth calling next, or `undefined` while nobody waits. */
  nextAt(now: number): number | undefined {
    const earliest = top(this.#ready)?.dueAt ?? top(this.#later)?.dueAt;
    if (earliest === undefined) return undefined;
    this.#fill(now);
    const tokenAt = this.#tokens >= 1 ? now : now + Math.ceil(((1 - this.#tokens) * 1_000) / this.#rate);
    return Math.max(earliest, tokenAt, now);
  }

  /** At most one unused token is kept: probes are spread, not saved up. */
  #fill(now: number): void {
    this.#tokens = Math.min(1, this.#tokens + ((now - this.#filledAt) * this.#rate) / 1_000);
    this.#filledAt = now;
  }

  #tidy(): void {
    if (this.#later.length + this.#ready.length <= mostVoidShare * (this.#due.size + 16)) return;
    this.#later = new TinyQueue([...this.#due.values()], byDueTime);
    this.#ready = new TinyQueue<Due>([], byTurn);
  }
}

/** The first that still counts; the void ones before it are dropped. */
function top(heap: TinyQueue<Due>): Due | undefined {
  while (heap.peek()?.isVoid) heap.pop();
  return heap.peek();
}
