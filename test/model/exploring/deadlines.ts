interface Deadline {
  at: number;
  order: number;
  fire: () => void;
}

/** A reference's own clock and waits: nothing of the machine's. */
export class Deadlines {
  now: number;
  #order = 0;
  readonly #waiting = new Map<string, Deadline>();

  constructor(now: number) {
    this.now = now;
  }

  set(name: string, afterMs: number, fire: () => void): void {
    this.#waiting.set(name, { at: this.now + afterMs, order: this.#order++, fire });
  }

  clear(...names: string[]): void {
    for (const name of names) this.#waiting.delete(name);
  }

  clearAll(): void {
    this.#waiting.clear();
  }

  pass(ms: number): void {
    const endAt = this.now + ms;
    for (;;) {
      const due = [...this.#waiting].filter(([, { at }]) => at <= endAt);
      due.sort(([, a], [, b]) => a.at - b.at || a.order - b.order);
      const first = due[0];
      if (!first) break;
      this.#waiting.delete(first[0]);
      this.now = first[1].at;
      first[1].fire();
    }
    this.now = endAt;
  }
}
