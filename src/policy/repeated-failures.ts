/** What fails each time that it is tried. */
export interface RepeatedFailure {
  what: string;
  count: number;
  /** Of the first of them; epoch ms. */
  since: number;
  /** Of the last one. */
  reason: string;
}

interface Streak extends RepeatedFailure {
  lastAt: number;
  /** Given up when it is not tried again; the others end with a success only. */
  isPassing: boolean;
}

/** Once is nothing, twice may be chance. */
const alarming = 3;
/** An operation that was not tried again for so long is not wanted any more. */
const staleMs = 60_000;
const mostStreaks = 1_000;

/** Recognises what fails again and again, without a success in between. */
export class RepeatedFailures {
  readonly #now: () => number;
  readonly #streaks = new Map<string, Streak>();

  constructor(options: { now(): number }) {
    this.#now = () => options.now();
  }

  /** `isPassing`: it may be given up without a word, as an operation is whose container goes. */
  failed(what: string, reason: string, { isPassing = false } = {}): void {
    const now = this.#now();
    const known = this.#streaks.get(what);
    const { since, count } = known && !isStale(known, now) ? known : { since: now, count: 0 };
    // Of very many that fail, those seen first tell enough.
    if (!known && this.#streaks.size >= mostStreaks) this.#forgetStale();
    if (!known && this.#streaks.size >= mostStreaks) return;
    this.#streaks.set(what, { what, reason, since, count: count + 1, lastAt: now, isPassing });
  }

  succeeded(what: string): void {
    this.#streaks.delete(what);
  }

  /** Those that are no chance, the oldest first. */
  lasting(): RepeatedFailure[] {
    this.#forgetStale();
    return [...this.#streaks.values()]
      .filter(({ count }) => count >= alarming)
      .sort((a, b) => a.since - b.since);
  }

  #forgetStale(): void {
    const now = this.#now();
    for (const [what, streak] of this.#streaks) if (isStale(streak, now)) this.#streaks.delete(what);
  }
}

/** The failures for people; `undefined` when there are none. */
export function describeFailures(failures: readonly RepeatedFailure[]): string | undefined {
  const [first, ...others] = failures;
  if (!first) return undefined;
  const { what, count, since, reason } = first;
  const rest =
    others.length === 0
      ? ''
      : ` (and ${others.length} other ${others.length === 1 ? 'operation' : 'operations'})`;
  return `${what} failed ${count} times in a row since ${new Date(since).toISOString()}${rest}: ${reason}`;
}

function isStale({ isPassing, lastAt }: Streak, now: number): boolean {
  return isPassing && now - lastAt > staleMs;
}
