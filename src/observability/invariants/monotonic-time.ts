/** A gap between two looks at the clock beyond this is the clock's or the machine's doing, not that of a wait. */
const longestGapMs = 300_000;
/** Facts are told a little out of order: that is not a clock that was set back. */
const unorderMs = 1_000;

/**
 * Time as waits are measured in. When the clock is set, or the machine slept, it stands still for that while: nothing
 * could have happened meanwhile.
 */
export class SteadyTime {
  #lastAt: number | undefined;
  #lostMs = 0;

  /** To be called at least every few minutes. */
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
