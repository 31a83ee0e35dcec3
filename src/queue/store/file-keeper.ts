import { statSync } from 'node:fs';
import type { Clock } from '../../domain/clock.js';
import { checkIntegrity, damagedStore, type IntegrityCheck } from './integrity.js';
import { executeAside } from './libsql.js';
import { fileSize, noteProgress } from './store-marker.js';
import { progressOf } from './store-presence.js';
import type { Store } from './schema.js';

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
/** From the end of one check of the file to the next: longer when a check takes long. */
const leastCheckPauseMs = 60_000;
const checkPauseFactor = 50;

/**
 * Looks after the files of an embedded store while it is open: keeps the write-ahead file short, notes beside it how far
 * the store has got, and sees when the file is taken away or replaced, which the database itself never does. Checks the
 * file again and again: the database meets damage only where it reads, and what it has read it does not read again.
 */
export class FileKeeper {
  readonly #options: FileKeeperOptions;
  readonly #file: string;
  #timer: unknown;
  #looking: Promise<void> = Promise.resolve();
  #isStopped = false;
  #notedAt: number;
  #checkAt: number;
  #check: IntegrityCheck | undefined;
  #checking: Promise<void> | undefined;

  constructor(options: FileKeeperOptions) {
    this.#options = options;
    this.#file = fileId(options.path);
    this.#notedAt = options.clock.now();
    this.#checkAt = this.#notedAt + leastCheckPauseMs;
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
    this.#check?.stop();
    await this.#checking;
  }

  /** One look; also done by itself every few seconds. */
  async look(): Promise<void> {
    const { db, path, clock, onFault } = this.#options;
    try {
      if (!this.#isPresent()) return;
      if (clock.now() >= this.#checkAt) this.#checking ??= this.#checkFile();
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

  /** Never rejects. */
  async #checkFile(): Promise<void> {
    const { path, clock, onDamage, onFault } = this.#options;
    const beganAt = clock.now();
    try {
      this.#check = await checkIntegrity(path, 'quick');
      if (this.#isStopped) this.#check.stop();
      const findings = await this.#check.findings;
      if (findings.length > 0 && !this.#isStopped) onDamage(damagedStore(path, findings).message);
    } catch (error) {
      if (!this.#isStopped) onFault(error);
    } finally {
      const tookMs = Math.max(0, clock.now() - beganAt);
      this.#checkAt = clock.now() + Math.max(leastCheckPauseMs, tookMs * checkPauseFactor);
      this.#check = undefined;
      this.#checking = undefined;
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
