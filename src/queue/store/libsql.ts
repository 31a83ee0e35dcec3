import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { SqliteAdapter, SqliteDialect, type Dialect, type Kysely } from 'kysely';

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

/** Carries out a statement that has its values in it, and answers nothing. */
type Execute = (statement: string) => Promise<void>;

/** Commits are synced to the disk one by one: what was acknowledged survives a power cut. */
const settings = [
  'journal_mode = WAL',
  'synchronous = FULL',
  'foreign_keys = ON',
  'busy_timeout = 5000',
  'journal_size_limit = 67108864',
];

/** Everything that is particular to the embedded database: how it is opened, and how it says what went wrong. */
export async function libsqlDialect(path: string): Promise<Dialect> {
  const { default: Database } = await import('libsql');
  if (path !== ':memory:') prepareFile(path);
  const database = new Database(path);
  try {
    for (const setting of settings) database.pragma(setting);
    // What was written is moved into the main file by the second connection, which holds nobody up.
    if (path !== ':memory:') database.pragma('wal_autocheckpoint = 0');
    // A database in memory is not there for a second connection.
    const second =
      path === ':memory:'
        ? { execute: (statement: string) => Promise.resolve(void database.exec(statement)), close: () => {} }
        : await secondConnection(path);
    const prepare = (statement: string) => database.prepare(statement);
    const close = (): void => {
      second.close();
      database.close();
    };
    return new EmbeddedDialect(second.execute, { database: { prepare, close } });
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Its statements run on a thread of the library: whoever waits for one does not hold up the event loop. */
async function secondConnection(path: string): Promise<{ execute: Execute; close(): void }> {
  const { default: Database } = await import('libsql/promise');
  const database = new Database(path, {});
  let last: Promise<unknown> = Promise.resolve();
  const execute: Execute = async (statement) => {
    last = database.exec(statement) as Promise<unknown>;
    await last;
  };
  for (const setting of settings) await execute(`pragma ${setting}`);
  const close = (): void => database.close();
  return { execute, close: () => void last.then(close, close) };
}

class EmbeddedAdapter extends SqliteAdapter {
  readonly execute: Execute;

  constructor(execute: Execute) {
    super();
    this.execute = execute;
  }
}

class EmbeddedDialect extends SqliteDialect {
  readonly #execute: Execute;

  constructor(execute: Execute, config: ConstructorParameters<typeof SqliteDialect>[0]) {
    super(config);
    this.#execute = execute;
  }

  override createAdapter(): SqliteAdapter {
    return new EmbeddedAdapter(this.#execute);
  }
}

/**
 * Carries out a statement that has its values in it, on another thread. Other statements wait for it, as for any other;
 * the event loop does not. Not for use in a transaction. Rejects with the database's own error.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the schema does not matter here
export async function executeAside(db: Kysely<any>, statement: string): Promise<void> {
  const { adapter } = db.getExecutor();
  if (!(adapter instanceof EmbeddedAdapter)) throw new TypeError('not an embedded store');
  // The one connection there is for everybody is held meanwhile, so that neither waits for the other inside the database.
  await db.connection().execute(() => adapter.execute(statement));
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
