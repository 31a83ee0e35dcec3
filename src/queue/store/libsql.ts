import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { SqliteDialect, type Dialect } from 'kysely';

/** What a fault of the database means to its user. */
export interface DatabaseFault {
  /** `damaged`: the file is no database, or no whole one. `unavailable`: it may work again by itself or after a remedy. */
  kind: 'damaged' | 'unavailable';
  /** Cause and remedy, for people. */
  text: string;
}

const faults: Readonly<Record<string, DatabaseFault>> = {
  SQLITE_NOTADB: { kind: 'damaged', text: 'the file is not a database' },
  SQLITE_CORRUPT: { kind: 'damaged', text: 'the file is damaged: restore it from a backup' },
  SQLITE_FULL: { kind: 'unavailable', text: 'its disk is full: make room' },
  SQLITE_BUSY: { kind: 'unavailable', text: 'another process holds it' },
  SQLITE_READONLY: { kind: 'unavailable', text: 'it cannot be written: check owner and permissions' },
  SQLITE_CANTOPEN: { kind: 'unavailable', text: 'the file cannot be opened: check owner and permissions' },
};

/** Everything that is particular to the embedded database: how it is opened, and how it says what went wrong. */
export async function libsqlDialect(path: string): Promise<Dialect> {
  const { default: Database } = await import('libsql');
  if (path !== ':memory:') prepareFile(path);
  const database = new Database(path);
  try {
    // Commits are synced to the disk one by one: what was acknowledged survives a power cut.
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    database.pragma('busy_timeout = 5000');
    database.pragma('journal_size_limit = 67108864');
  } catch (error) {
    database.close();
    throw error;
  }
  return new SqliteDialect({ database });
}

/** What a libsql or file error means; `undefined` for one that is not told apart. */
export function libsqlFault(cause: unknown): DatabaseFault | undefined {
  if (!(cause instanceof Error)) return undefined;
  const { code = '' } = cause as NodeJS.ErrnoException;
  // Extended codes continue the plain one: SQLITE_READONLY_DIRECTORY.
  const known = Object.keys(faults).find((each) => code === each || code.startsWith(`${each}_`));
  return known === undefined ? undefined : faults[known];
}

/** Makes the folders and the file, which holds the environment of containers and so is for its owner only. */
function prepareFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
}
