const newline = 10;
const carriageReturn = 13;

export interface SplitLine {
  line: Buffer;
  /** Bytes beyond the limit were dropped. */
  isCut: boolean;
}

/** Splits bytes into lines, and holds no more of one than the limit, however long it is. */
export class LineSplitter {
  readonly #limit: number;
  #held: Buffer[] = [];
  #size = 0;
  #isCut = false;

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /** The line that has not ended is longer than the limit. */
  get isTooLong(): boolean {
    return this.#isCut;
  }

  /** The lines that the piece ends. */
  *push(piece: Buffer): Generator<SplitLine> {
    for (let from = 0; from < piece.length;) {
      const at = piece.indexOf(newline, from);
      this.#hold(piece.subarray(from, at < 0 ? piece.length : at));
      if (at < 0) return;
      yield this.#take();
      from = at + 1;
    }
  }

  /** What is left without a newline, once no more comes; `undefined`: nothing. */
  rest(): SplitLine | undefined {
    return this.#size > 0 ? this.#take() : undefined;
  }

  #hold(piece: Buffer): void {
    const room = this.#limit - this.#size;
    if (piece.length > room) this.#isCut = true;
    const kept = piece.subarray(0, room);
    if (kept.length === 0) return;
    // A copy: a part of a piece would keep all of it in memory.
    this.#held.push(Buffer.from(kept));
    this.#size += kept.length;
    // Bytes that come one by one cost no object each.
    if (this.#held.length > 64) this.#held = [Buffer.concat(this.#held)];
  }

  #take(): SplitLine {
    const line = Buffer.concat(this.#held);
    const isCut = this.#isCut;
    this.#held = [];
    this.#size = 0;
    this.#isCut = false;
    return { line: line.at(-1) === carriageReturn ? line.subarray(0, -1) : line, isCut };
  }
}
