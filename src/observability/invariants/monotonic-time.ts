/** A larger gap between two readings comes from the clock or a suspended machine, not from a wait. */
const longestGapMs = 300_000;
/** Facts arrive slightly out of order, which does not mean that the clock was set back. */
const unorderMs = 1_000;

/**
 * Time for measuring waits. It stands still for the time by which the clock was set or the machine was suspended, because
 * nothing could happen meanwhile.
 */
export class SteadyTime {
  #lastAt: number | undefined;
  #lostMs = 0;

  /** Must be called at least every few minutes. */
  at(now: number): number {
    this.#lastAt ??= now;
    const gapMs = now - this.#lastAt;
    if (gapMs < -unorderMs || gapMs > longestGapMs) {
      this.#lostMs += gapMs;
      this.#lastAt = now;
    } else if (gapMs > 0) this.#lastAt = now;
    return now - this.#lostMs;
  }
}
