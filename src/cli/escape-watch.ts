const tilde = 0x7e;
const dot = 0x2e;
const lineEnds: ReadonlySet<number> = new Set([0x0a, 0x0d]);

/** Finds `~.` at the beginning of a line among the keys of a person, by which a session that hangs is left. */
export class EscapeWatch {
  #isLineStart = true;
  #holdsTilde = false;

  /** What is to be sent of the keys, and whether the person leaves. `~~` stands for `~`. */
  take(keys: Uint8Array): { passed: Uint8Array; isLeaving: boolean } {
    const passed: number[] = [];
    for (const key of keys) {
      if (this.#holdsTilde) {
        this.#holdsTilde = false;
        if (key === dot) return { passed: Uint8Array.from(passed), isLeaving: true };
        passed.push(tilde);
        if (key !== tilde) passed.push(key);
        this.#isLineStart = lineEnds.has(key);
      } else if (key === tilde && this.#isLineStart) this.#holdsTilde = true;
      else {
        passed.push(key);
        this.#isLineStart = lineEnds.has(key);
      }
    }
    return { passed: Uint8Array.from(passed), isLeaving: false };
  }
}
