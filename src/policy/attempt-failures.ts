export interface AttemptFailuresOptions {
  /** Epoch ms. */
  now(): number;
  /** Its runner said that it runs, or ran; not given: only results say so. */
  hasRun?(uuid: string): boolean;
}

/** Attempts that failed one after the other of one cause. */
export interface FailureStreak {
  count: number;
  /** Of the last one. */
  reason: string;
  lastAt: number;
}

/** So many failures alike are no coincidence, and no fault of one container. */
const alarming = 5;
/** Without a further failure for so long the streak says nothing about today. */
const staleMs = 3_600_000;
const mostTried = 1_000;
/** Older ones are forgotten: at worst an attempt counts twice. */
const mostCounted = 10_000;

/**
 * Recognises attempts that fail one after the other of one cause, whatever the container: then something is wrong with
 * the runner, the image or the configuration, and containers are used up one attempt after the other.
 */
export class AttemptFailures {
  readonly #options: AttemptFailuresOptions;
  /** Containers whose present attempt has failed already: its end is no further failure. */
  readonly #counted = new Set<string>();
  /** Started since the last failure. */
  readonly #tried = new Set<string>();
  #streak: FailureStreak | undefined;
  #cause = '';

  constructor(options: AttemptFailuresOptions) {
    this.#options = options;
  }

  /** Another attempt of the container begins. */
  started(uuid: string): void {
    this.#counted.delete(uuid);
    if (this.#streak && this.#tried.size < mostTried) this.#tried.add(uuid);
  }

  /** The attempt ended without a result. Returns the streak when it is worth a line in the log. */
  failed(uuid: string, reason: string): FailureStreak | undefined {
    if (this.#counted.has(uuid)) return undefined;
    this.#counted.add(uuid);
    if (this.#counted.size > mostCounted) this.#counted.delete(this.#counted.values().next().value!);
    this.#settle();
    const cause = causeOf(reason);
    const count = this.#streak && cause === this.#cause ? this.#streak.count + 1 : 1;
    this.#cause = cause;
    this.#streak = { count, reason, lastAt: this.#options.now() };
    this.#tried.clear();
    return count >= alarming && Number.isInteger(Math.log2(count / alarming)) ? this.#streak : undefined;
  }

  /** An attempt ran: whatever was wrong is not wrong with all. */
  succeeded(): void {
    this.#streak = undefined;
    this.#tried.clear();
  }

  /** The container is no business of the dispatcher any more. */
  forget(uuid: string): void {
    this.#counted.delete(uuid);
    this.#tried.delete(uuid);
  }

  /** A streak that is no coincidence, and is not over. */
  streak(): FailureStreak | undefined {
    this.#settle();
    return this.#streak && this.#streak.count >= alarming ? this.#streak : undefined;
  }

  #settle(): void {
    const { hasRun, now } = this.#options;
    if (!this.#streak) return;
    const isStale = now() - this.#streak.lastAt > staleMs;
    if (isStale || (hasRun && [...this.#tried].some((uuid) => hasRun(uuid)))) this.succeeded();
  }
}

/** The streak for people. */
export function describeStreak({ count, reason }: FailureStreak): string {
  return `the last ${count} attempts failed alike: ${reason}`;
}

/** The reason without what differs from one attempt to the next: ids, numbers, addresses. */
function causeOf(reason: string): string {
  return reason
    .replace(/\b[a-z0-9]{5}-[a-z0-9]{5}-[a-z0-9]{15}\b/g, '#')
    .replace(/\b(?=\w*\d)[\w.:-]+/g, '#')
    .slice(0, 300);
}
