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
/** While urgent ones wait as well, each so-many-th turn is for one that is not: no stream of boots silences the fleet. */
const turnForPlain = 3;

/** Beyond this many void ones for each that counts, the heaps are built anew. */
const mostVoidShare = 4;

/**
 * Whose turn it is to be probed: the urgent first but for each third turn, then by due time, all out of one token bucket, so that in `t`
 * seconds no more than `rate * t + 1` begin (P-2, P-3, K-2). Each step costs a logarithm of those that wait.
 */
export class ProbePacer {
  readonly #due = new Map<string, Due>();
  /** Not due when last looked at. */
  #later = new TinyQueue<Due>([], byDueTime);
  /** Due: only tokens are missing. */
  #urgent = new TinyQueue<Due>([], byDueTime);
  #plain = new TinyQueue<Due>([], byDueTime);
  #turn = 0;
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
      (due.isUrgent ? this.#urgent : this.#plain).push(this.#later.pop()!);
    }
    const taken: string[] = [];
    for (let due = this.#next(); due && this.#tokens >= 1; due = this.#next()) {
      due.isVoid = true;
      this.#turn++;
      this.#due.delete(due.id);
      this.#tokens -= 1;
      taken.push(due.id);
    }
    return taken;
  }

  /** When `take` is worth calling next, or `undefined` while nobody waits. */
  nextAt(now: number): number | undefined {
    const ready = top(this.#urgent) ?? top(this.#plain);
    const earliest = ready?.dueAt ?? top(this.#later)?.dueAt;
    if (earliest === undefined) return undefined;
    this.#fill(now);
    const tokenAt = this.#tokens >= 1 ? now : now + Math.ceil(((1 - this.#tokens) * 1_000) / this.#rate);
    return Math.max(earliest, tokenAt, now);
  }

  /** Of those that are due; it stays in its heap until it is void. */
  #next(): Due | undefined {
    const [urgent, plain] = [top(this.#urgent), top(this.#plain)];
    if (!urgent || !plain) return urgent ?? plain;
    return (this.#turn + 1) % turnForPlain === 0 ? plain : urgent;
  }

  /** At most one unused token is kept: probes are spread, not saved up. */
  #fill(now: number): void {
    this.#tokens = Math.min(1, this.#tokens + ((now - this.#filledAt) * this.#rate) / 1_000);
    this.#filledAt = now;
  }

  #tidy(): void {
    const length = this.#later.length + this.#urgent.length + this.#plain.length;
    if (length <= mostVoidShare * (this.#due.size + 16)) return;
    this.#later = new TinyQueue([...this.#due.values()], byDueTime);
    this.#urgent = new TinyQueue<Due>([], byDueTime);
    this.#plain = new TinyQueue<Due>([], byDueTime);
  }
}

/** The first that still counts; the void ones before it are dropped. */
function top(heap: TinyQueue<Due>): Due | undefined {
  while (heap.peek()?.isVoid) heap.pop();
  return heap.peek();
}
