import { statSync } from 'node:fs';
import type { Clock } from '../../domain/clock.js';
import type { Store } from './database.js';
import { executeAside } from './libsql.js';
import { fileSize, noteProgress } from './store-marker.js';
import { progressOf } from './store-presence.js';

export interface FileKeeperOptions {
  db: Store;
  /** Of the database. */
  path: string;
  clock: Clock;
  /** The file in use is not the store's any more; cause and remedy. */
  onDamage(text: string): void;
  /** The write-ahead file could not be emptied, or the marker not be written; it is tried again. */
  onFault(error: unknown): void;
}

const intervalMs = 5_000;
/** Beyond it what was written is moved into the main file, though the journal has not asked for it. */
const longestWriteAheadBytes = 16 * 2 ** 20;
const progressIntervalMs = 60_000;

/**
 * Looks after the files of an embedded store while it is open: keeps the write-ahead file short, notes beside it how far
 * the store has got, and sees when the file is taken away or replaced, which the database itself never does.
 */
export class FileKeeper {
  readonly #options: FileKeeperOptions;
  readonly #file: string;
  #timer: unknown;
  #looking: Promise<void> = Promise.resolve();
  #isStopped = false;
  #notedAt: number;

  constructor(options: FileKeeperOptions) {
    this.#options = options;
    this.#file = fileId(options.path);
    this.#notedAt = options.clock.now();
  }

  start(): void {
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#looking = this.look().then(() => this.start());
    }, intervalMs);
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#options.clock.clearTimeout(this.#timer);
    await this.#looking;
  }

  /** One look; also done by itself every few seconds. */
  async look(): Promise<void> {
    const { db, path, clock, onFault } = this.#options;
    try {
      if (!this.#isPresent()) return;
      if ((fileSize(`${path}-wal`) ?? 0) > longestWriteAheadBytes) {
        await executeAside(db, 'pragma wal_checkpoint(PASSIVE)');
      }
      if (Math.abs(clock.now() - this.#notedAt) < progressIntervalMs) return;
      this.#notedAt = clock.now();
      noteProgress(path, await progressOf(db), true);
    } catch (error) {
      onFault(error);
    }
  }

  #isPresent(): boolean {
    const { path, onDamage } = this.#options;
    const present = fileId(path);
    if (present === this.#file && fileSize(`${path}-wal`) !== undefined && fileSize(path) !== 0) return true;
    const what =
      present === ''
        ? 'removed'
        : present === this.#file
          ? 'emptied, or its write-ahead file removed'
          : 'replaced';
    onDamage(`the database ${path} was ${what} while in use: stop the daemon and restore it from a backup`);
    return false;
  }
}

/** `''`: there is none. */
function fileId(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat ? `${stat.dev}:${stat.ino}` : '';
}
