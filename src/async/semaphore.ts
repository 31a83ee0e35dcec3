/** Work with limited concurrency. */
export interface Turns {
  /** Resolves with a slot; rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<Turn>;
}

export interface Turn {
  release(): void;
}

/** Limits concurrency; waiting callers get slots in order. */
export class Slots implements Turns, Turn {
  #count: number;
  /** Below 0 while more slots are taken than the limit allows. */
  #free: number;
  readonly #waiting: { admit: () => void }[] = [];

  constructor(count: number) {
    this.#count = count;
    this.#free = count;
  }

  /** Taken slots stay taken. */
  resize(count: number): void {
    this.#free += count - this.#count;
    this.#count = count;
    while (this.#free > 0 && this.#waiting.length > 0) {
      this.#free--;
      this.#waiting.shift()!.admit();
    }
  }

  /** Whether a slot was taken at once. */
  tryTake(): boolean {
    if (this.#free <= 0) return false;
    this.#free--;
    return true;
  }

  take(signal: AbortSignal): Promise<Turn> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    if (this.tryTake()) return Promise.resolve(this);
    return new Promise((resolve, reject) => {
      const entry = {
        admit: () => {
          signal.removeEventListener('abort', giveUp);
          resolve(this);
        },
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(entry);
    });
  }

  release(): void {
    const next = this.#free < 0 ? undefined : this.#waiting.shift();
    if (next) next.admit();
    else this.#free++;
  }
}

/** Runs the work with a slot, and releases it at the end, whatever the outcome (K-38). */
export async function inTurn<T>(turns: Turns, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const turn = await turns.take(signal);
  try {
    return await work();
  } finally {
    turn.release();
  }
}
