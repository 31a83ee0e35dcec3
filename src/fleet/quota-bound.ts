/**
 * At quota until there are fewer instances than at the refusal (L-12..L-14). It lasts for as long as the breaker of the
 * quota is not closed: a call that was under way at the refusal and is accepted after it changes nothing.
 */
export class QuotaBound {
  /** 0: there is no such bound. */
  #untilFewer = 0;

  /** True when freeing instances may help; `present` without the refused call. */
  refused(present: number): boolean {
    const known = this.#untilFewer === 0 ? present : this.#untilFewer;
    this.#untilFewer = present < 1 ? 0 : Math.min(known, present);
    return present >= 1;
  }

  /** A create call was accepted, and with that the breaker is closed or it is not. */
  accepted(isClosed: boolean): void {
    if (isClosed) this.clear();
  }

  isMetBy(present: number): boolean {
    return this.#untilFewer > present;
  }

  clear(): void {
    this.#untilFewer = 0;
  }
}
