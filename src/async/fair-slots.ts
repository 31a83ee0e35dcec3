import type { Clock } from '../domain/clock.js';
import type { Turn, Turns } from './semaphore.js';

export interface FairSlotsOptions {
  clock: Clock;
  /** How many may be under way at once, as long as none is overdue. */
  count: number;
  /** How many of one sharer. */
  share: number;
  /** One that takes longer is overdue: it keeps its place in the share, and another may begin beside it. */
  patienceMs: number;
  /** How many overdue ones are borne beside the others. */
  mostOverdue: number;
  /**
   * True for a sharer that may do harm; not given: none is. These, and sharers with an overdue one, are served after the
   * others and hold at most half of the count together. With it, the room beside overdue ones is for sharers that hold
   * nothing.
   */
  isSuspect?(key: unknown): boolean;
}

interface Sharer {
  /** In the order in which they were taken. */
  readonly held: Set<Held>;
  /** Of all turns that were given, which one it had last; 0: none. */
  lastTurn: number;
  readonly waiting: ((turn: Turn) => void)[];
}

interface Held {
  takenAt: number;
  isOverdue: boolean;
}

/**
 * A bound on how many may do something at once, shared fairly: each sharer has a share at most, sharers that wait are
 * served in rotation, and what hangs does not hold up the others.
 */
export class FairSlots {
  readonly #options: FairSlotsOptions;
  /** Those that have slots, or wait for one. */
  readonly #sharers = new Map<unknown, Sharer>();
  /** In the order in which they were taken. */
  readonly #held = new Set<Held>();
  #overdue = 0;
  #turns = 0;
  #timer: unknown;

  constructor(options: FairSlotsOptions) {
    this.#options = options;
  }

  /** How many slots are taken, overdue ones included. */
  get underWay(): number {
    return this.#held.size;
  }

  /** The slots as one sharer sees them. */
  of(key: unknown): Turns {
    return { take: (signal) => this.#take(key, signal) };
  }

  #take(key: unknown, signal: AbortSignal): Promise<Turn> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const sharer = this.#sharers.get(key) ?? { held: new Set<Held>(), lastTurn: 0, waiting: [] };
    this.#sharers.set(key, sharer);
    return new Promise((resolve, reject) => {
      const admit = (turn: Turn): void => {
        signal.removeEventListener('abort', giveUp);
        resolve(turn);
      };
      const giveUp = (): void => {
        sharer.waiting.splice(sharer.waiting.indexOf(admit), 1);
        this.#forget(key, sharer);
        this.#serve();
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      sharer.waiting.push(admit);
      this.#serve();
    });
  }

  /** Admits all that may begin now; the others are looked at again when a slot becomes free, or overdue. */
  #serve(): void {
    const { clock, patienceMs, mostOverdue } = this.#options;
    let next = this.#next();
    while (next && this.#hasRoom()) {
      this.#admit(...next);
      next = this.#next();
    }
    clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    const first = this.#firstInTime();
    if (!next || !first || this.#overdue >= mostOverdue) return;
    const leftMs = first.takenAt + patienceMs - clock.now();
    this.#timer = clock.setTimeout(() => this.#serve(), Math.max(1, leftMs));
  }

  /** Of those that wait and have less than their share, the one whose last turn is longest ago; suspects last. */
  #next(): [unknown, Sharer] | undefined {
    let next: [unknown, Sharer] | undefined;
    let suspect: [unknown, Sharer] | undefined;
    let heldBySuspects = 0;
    const { count, share, isSuspect: hasSuspects } = this.#options;
    const isFull = this.#held.size - this.#overdue >= count;
    const most = hasSuspects && isFull ? 1 : share;
    for (const entry of this.#sharers) {
      const [key, sharer] = entry;
      const { waiting, held, lastTurn } = sharer;
      const isSuspect = this.#isSuspect(key, sharer);
      if (isSuspect) heldBySuspects += held.size;
      if (waiting.length === 0 || held.size >= most) continue;
      if (!isSuspect && (!next || lastTurn < next[1].lastTurn)) next = entry;
      if (isSuspect && (!suspect || lastTurn < suspect[1].lastTurn)) suspect = entry;
    }
    return next ?? (heldBySuspects < count / 2 ? suspect : undefined);
  }

  #isSuspect(key: unknown, { held }: Sharer): boolean {
    const { clock, patienceMs, isSuspect } = this.#options;
    if (!isSuspect) return false;
    if (isSuspect(key)) return true;
    const [first] = held;
    return first !== undefined && clock.now() - first.takenAt >= patienceMs;
  }

  #hasRoom(): boolean {
    const { clock, count, patienceMs, mostOverdue } = this.#options;
    if (this.#held.size - this.#overdue < count) return true;
    const first = this.#firstInTime();
    if (!first || this.#overdue >= mostOverdue || clock.now() - first.takenAt < patienceMs) return false;
    first.isOverdue = true;
    this.#overdue++;
    return true;
  }

  #firstInTime(): Held | undefined {
    for (const held of this.#held) if (!held.isOverdue) return held;
    return undefined;
  }

  #admit(key: unknown, sharer: Sharer): void {
    sharer.lastTurn = ++this.#turns;
    const held: Held = { takenAt: this.#options.clock.now(), isOverdue: false };
    this.#held.add(held);
    sharer.held.add(held);
    sharer.waiting.shift()!({
      release: () => {
        if (!this.#held.delete(held)) return;
        if (held.isOverdue) this.#overdue--;
        sharer.held.delete(held);
        this.#forget(key, sharer);
        this.#serve();
      },
    });
  }

  #forget(key: unknown, { held, waiting }: Sharer): void {
    if (held.size === 0 && waiting.length === 0) this.#sharers.delete(key);
  }
}
