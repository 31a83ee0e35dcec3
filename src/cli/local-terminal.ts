import type { Readable, Writable } from 'node:stream';

/** The terminal or pipes of a command. */
export interface LocalTerminal {
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  /** Input and output are a terminal. */
  isInteractive: boolean;
  /** The environment variable `TERM`. */
  name: string;
  size(): { columns: number; rows: number };
  /** Calls `changed` after each change of size; returns a function that unsubscribes. */
  onResize(listener: () => void): () => void;
  /** Delivers single keys without echo; returns a function that restores the terminal. */
  raw(): () => void;
}

/** The terminal or pipes of this process. */
export const processTerminal: LocalTerminal = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  isInteractive: process.stdin.isTTY === true && process.stdout.isTTY === true,
  name: process.env['TERM'] ?? 'dumb',
  size: () => ({ columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 }),
  onResize: (listener) => {
    process.stdout.on('resize', listener);
    return () => void process.stdout.off('resize', listener);
  },
  raw: () => {
    if (!process.stdin.isTTY) return () => {};
    process.stdin.setRawMode(true);
    return () => void process.stdin.setRawMode(false);
  },
};
