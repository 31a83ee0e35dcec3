/** Something that is done by no more than so many at once. */
export interface Turns {
  /** Resolves with a slot; rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<Turn>;
}

export interface Turn {
  release(): void;
}

/** A bound on how many may do something at once; those that wait get their turn in order. */
export class Slots implements Turns, Turn {
  #count: number;
  /** Below 0 while more are taken than there should be. */
  #free: number;
  readonly #waiting: { admit: () => void }[] = [];

  constructor(count: number) {
    this.#count = count;
    this.#free = count;
  }

  /** Those that are taken stay taken. */
  resize(count: number): void {
    this.#free += count - this.#count;
    this.#count = count;
    while (this.#free > 0 && this.#waiting.length > 0) {
      this.#free--;
      this.#waiting.shift()!.admit();
    }
  }

  /** True when a slot was taken at once. */
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

/** Does the work when a slot is free, and frees it afterwards, however the work ends (K-38). */
export async function inTurn<T>(turns: Turns, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const turn = await turns.take(signal);
  try {
    return await work();
  } finally {
    turn.release();
  }
}
