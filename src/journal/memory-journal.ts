import type { Journal, JournalEntry, JournalFilter, LaunchIntent } from './journal.js';

interface KnownIntent extends LaunchIntent {
  isOpen: boolean;
}

/** A journal that ends with the process: for simulations and tests. */
export class MemoryJournal implements Journal {
  readonly #maxEntries: number;
  readonly #intents = new Map<string, KnownIntent>();
  #entries: JournalEntry[] = [];

  /** Keeps at least the latest `maxEntries`. */
  constructor(maxEntries = 100_000) {
    this.#maxEntries = maxEntries;
  }

  append(entry: JournalEntry): void {
    this.#entries.push(entry);
    // Cutting a tenth at a time keeps appending cheap.
    if (this.#entries.length > this.#maxEntries * 1.1) this.#entries = this.#entries.slice(-this.#maxEntries);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  read(filter: JournalFilter): Promise<JournalEntry[]> {
    const matching = this.#entries.filter((entry) => matches(entry, filter));
    return Promise.resolve(matching.slice(-(filter.limit ?? 1_000)));
  }

  async *pages(filter: JournalFilter): AsyncGenerator<readonly JournalEntry[]> {
    const matching = this.#entries.filter((entry) => matches(entry, filter)).slice(0, filter.limit);
    if (matching.length > 0) yield matching;
  }

  recordIntent(intent: LaunchIntent): Promise<void> {
    this.#intents.set(intent.secretFingerprint, { ...intent, isOpen: true });
    return Promise.resolve();
  }

  settleIntent(secretFingerprint: string): Promise<void> {
    const intent = this.#intents.get(secretFingerprint);
    if (intent) intent.isOpen = false;
    return Promise.resolve();
  }

  openIntents(): Promise<LaunchIntent[]> {
    const open = [...this.#intents.values()].filter(({ isOpen }) => isOpen);
    return Promise.resolve(open.map(({ isOpen: _, ...intent }) => intent));
  }
}

function matches(entry: JournalEntry, { instance, container, kind, since }: JournalFilter): boolean {
  return (
    (instance === undefined || entry.instance === instance) &&
    (container === undefined || entry.container === container) &&
    (kind === undefined || entry.kind === kind) &&
    (since === undefined || entry.at >= since)
  );
}
