/** Within `windowMs`, so many refused claims of one instance are journalled; the rest is only counted. */
const windowMs = 60_000;
const mostInWindow = 10;
/** Instances that are remembered. */
const mostInstances = 10_000;

interface Window {
  since: number;
  count: number;
  /** Passed over since the last one that was journalled. */
  dropped: number;
}

/** Bounds how many refused claims of each instance reach the journal, however many it makes. */
export class ClaimBudget {
  readonly #windows = new Map<string, Window>();

  /** Returns how many were passed over before this one, or `undefined` when this one is to be passed over too. */
  take(instanceId: string, now: number): number | undefined {
    const known = this.#windows.get(instanceId);
    const isFresh = known && now >= known.since && now - known.since < windowMs;
    const window = isFresh ? known : { since: now, count: 0, dropped: known?.dropped ?? 0 };
    this.#windows.delete(instanceId);
    this.#windows.set(instanceId, window);
    if (this.#windows.size > mostInstances) this.#windows.delete(this.#windows.keys().next().value!);
    if (++window.count > mostInWindow) {
      window.dropped++;
      return undefined;
    }
    const { dropped } = window;
    window.dropped = 0;
    return dropped;
  }
}
