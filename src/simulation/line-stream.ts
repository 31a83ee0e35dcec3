/** Lines that come by call and go by iteration. */
export class LineQueue {
  #lines: string[] = [];
  #isClosed = false;
  #error: Error | undefined;
  #wake: () => void = () => {};

  push(line: string): void {
    if (this.#isClosed) return;
    this.#lines.push(line);
    this.#wake();
  }

  /** Ends the iteration, after the lines that are there. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  /** The same, with an error. */
  fail(error: Error): void {
    if (!this.#isClosed) this.#error = error;
    this.close();
  }

  /** For one reader. */
  async *lines(): AsyncGenerator<string> {
    for (;;) {
      const lines = this.#lines;
      this.#lines = [];
      yield* lines;
      if (this.#lines.length > 0) continue;
      if (this.#error) throw this.#error;
      if (this.#isClosed) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
