/** How many probes a second let each worker be probed once in each interval; 10 at least. */
export function autoProbeRate(workers: number, intervalMs: number): number {
  return Math.max(10, Math.ceil((workers * 1_000) / intervalMs));
}

interface Due {
  id: string;
  dueAt: number;
  isUrgent: boolean;
  order: number;
}

/**
 * Whose turn it is to be probed: the urgent first, then by due time, all out of one token bucket, so that in `t`
 * seconds no more than `rate * t + 1` begin (P-2, P-3, K-2).
 */
export class ProbePacer {
  readonly #due = new Map<string, Due>();
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
    this.#due.set(id, {
      id,
      dueAt: known ? Math.min(known.dueAt, dueAt) : dueAt,
      isUrgent: isUrgent || (known?.isUrgent ?? false),
      order: known?.order ?? this.#order++,
    });
  }

  remove(id: string): void {
    this.#due.delete(id);
  }

  /** Those whose turn is now; they wait no more. */
  take(now: number): string[] {
    this.#fill(now);
    if (this.#tokens < 1) return [];
    const ready = [...this.#due.values()].filter((due) => due.dueAt <= now);
    ready.sort((a, b) => Number(b.isUrgent) - Number(a.isUrgent) || a.dueAt - b.dueAt || a.order - b.order);
    const taken = ready.slice(0, Math.floor(this.#tokens));
    this.#tokens -= taken.length;
    for (const { id } of taken) this.#due.delete(id);
    return taken.map(({ id }) => id);
  }

  /** When `take` is worth calling next, or `undefined` while nobody waits. */
  nextAt(now: number): number | undefined {
    let earliest = Infinity;
    for (const { dueAt } of this.#due.values()) if (dueAt < earliest) earliest = dueAt;
    if (earliest === Infinity) return undefined;
    this.#fill(now);
    const tokenAt = this.#tokens >= 1 ? now : now + Math.ceil(((1 - this.#tokens) * 1_000) / this.#rate);
    return Math.max(earliest, tokenAt, now);
  }

  /** At most one unused token is kept: probes are spread, not saved up. */
  #fill(now: number): void {
    this.#tokens = Math.min(1, this.#tokens + ((now - this.#filledAt) * this.#rate) / 1_000);
    this.#filledAt = now;
  }
}
