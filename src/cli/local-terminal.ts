import type { Readable, Writable } from 'node:stream';

/** The terminal, or the pipes, a command was started from. */
export interface LocalTerminal {
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  /** Input and output are a person's terminal. */
  isInteractive: boolean;
  /** As in the environment variable `TERM`. */
  name: string;
  size(): { columns: number; rows: number };
  /** Calls with each change of size; returns what ends that. */
  onResize(listener: () => void): () => void;
  /** Keys come one by one, and are not shown; returns what undoes that. */
  raw(): () => void;
}

/** Where this process was started. */
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
