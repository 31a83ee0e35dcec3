import { createHash } from 'node:crypto';
import type { JournalEntry, LaunchIntent } from '../journal/journal.js';

/** The intents that outlive a process, and the fingerprint of all that was written. */
export class MemoryJournal {
  readonly #hash = createHash('sha256');
  readonly #intents = new Map<string, LaunchIntent>();
  readonly #recorded = new Map<string, LaunchIntent>();
  readonly #tell: ((entry: JournalEntry) => void) | undefined;
  #text = '';
  #entries = 0;

  constructor(tell: ((entry: JournalEntry) => void) | undefined) {
    this.#tell = tell;
  }

  get entries(): number {
    return this.#entries;
  }

  append(entry: JournalEntry): void {
    this.#entries++;
    this.#text += `${JSON.stringify(entry)}\n`;
    if (this.#text.length > 65_536) this.#digest();
    this.#tell?.(entry);
  }

  recordIntent(intent: LaunchIntent): void {
    this.#intents.set(intent.secretFingerprint, intent);
    this.#recorded.set(intent.secretFingerprint, intent);
  }

  settleIntent(secretFingerprint: string): void {
    this.#intents.delete(secretFingerprint);
  }

  openIntents(): LaunchIntent[] {
    return [...this.#intents.values()];
  }

  recordedIntents(): LaunchIntent[] {
    return [...this.#recorded.values()];
  }

  /** SHA-256 over the entries as lines of JSON, hex. No entry can follow. */
  hash(): string {
    this.#digest();
    return this.#hash.digest('hex');
  }

  #digest(): void {
    this.#hash.update(this.#text);
    this.#text = '';
  }
}
