import { PassThrough } from 'node:stream';
import type { LocalTerminal } from '../../src/cli/local-terminal.js';

/** A terminal, or pipes, that a test looks at and types on. */
export class FakeTerminal implements LocalTerminal {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly isInteractive: boolean;
  readonly name = 'xterm-256color';
  isRaw = false;
  shown = '';
  told = '';
  #size = { columns: 100, rows: 30 };
  readonly #listeners = new Set<() => void>();

  constructor(isInteractive = false) {
    this.isInteractive = isInteractive;
    this.stdout.on('data', (chunk: Buffer) => (this.shown += chunk.toString()));
    this.stderr.on('data', (chunk: Buffer) => (this.told += chunk.toString()));
  }

  size(): { columns: number; rows: number } {
    return this.#size;
  }

  resize(columns: number, rows: number): void {
    this.#size = { columns, rows };
    for (const listener of this.#listeners) listener();
  }

  onResize(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  raw(): () => void {
    this.isRaw = true;
    return () => (this.isRaw = false);
  }

  /** Whoever listened to sizes stopped. */
  get isLeftAlone(): boolean {
    return !this.isRaw && this.#listeners.size === 0;
  }
}
