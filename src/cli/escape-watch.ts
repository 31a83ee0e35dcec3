const tilde = 0x7e;
const dot = 0x2e;
const lineEnds: ReadonlySet<number> = new Set([0x0a, 0x0d]);

/** Detects `~.` at the start of a typed line, which closes a session that hangs. */
export class EscapeWatch {
  #isLineStart = true;
  #holdsTilde = false;

  /** Returns the keys to send, and whether the user closed the session. `~~` sends `~`. */
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
