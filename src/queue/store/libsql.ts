import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  type SqliteDatabase,
} from 'kysely';

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
  SQLITE_IOERR: { kind: 'unavailable', text: 'its disk does not read or write it' },
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

/** What the owner of an embedded database hears of it. */
export interface EmbeddedEvents {
  /** A statement failed. */
  onError?(error: unknown): void;
  /** Before anything of its closing, with a way to change it for the last time. Must not throw. */
  onClosing?(execute: (statement: string) => void): void;
  /** It is about to be closed. `isWhole`: all of it is in the main file. Must not throw. */
  onClose?(isWhole: boolean, read: (query: string) => unknown): void;
}

/** Everything that is particular to the embedded database: how it is opened, and how it says what went wrong. */
export async function libsqlDialect(path: string, events: EmbeddedEvents = {}): Promise<Dialect> {
  const { onError = () => {} } = events;
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
    const close = (): void => {
      events.onClosing?.((statement) => void database.exec(statement));
      second.close();
      const isWhole = path === ':memory:' || emptyWriteAhead(database);
      events.onClose?.(isWhole, (query) => database.prepare(query).get([]));
      database.close();
    };
    const { prepare, execute } = observed(database, second.execute, onError);
    const config = { database: { prepare, close }, isInTransaction: () => database.inTransaction };
    return new EmbeddedDialect(execute, config);
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

interface Connection {
  prepare(statement: string): {
    reader: boolean;
    all(values: readonly unknown[]): unknown[];
    run(values: readonly unknown[]): unknown;
    iterate(values: readonly unknown[]): IterableIterator<unknown>;
  };
  pragma(source: string): unknown;
}

/** Both ways to the database, with each failure told. */
function observed(
  database: Connection,
  execute: Execute,
  onError: (error: unknown) => void,
): { prepare: SqliteDatabase['prepare']; execute: Execute } {
  const observe = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      onError(error);
      throw error;
    }
  };
  const prepare = (text: string) => {
    const statement = observe(() => database.prepare(text));
    const { reader } = statement;
    return {
      reader,
      all: (values: readonly unknown[]) => observe(() => statement.all(values)),
      run: (values: readonly unknown[]) => observe(() => statement.run(values)),
      iterate: (values: readonly unknown[]) => statement.iterate(values),
    };
  };
  return {
    prepare: prepare as unknown as SqliteDatabase['prepare'],
    execute: async (text) => {
      try {
        await execute(text);
      } catch (error) {
        onError(error);
        throw error;
      }
    },
  };
}

/** Moves all that was written into the main file, so that it is the store without its companions. False: not all went. */
function emptyWriteAhead(database: Connection): boolean {
  try {
    const [result] = database.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
    return result?.busy === 0;
  } catch {
    // The write-ahead file keeps what the main file does not take, on a full disk for one.
    return false;
  }
}

class EmbeddedAdapter extends SqliteAdapter {
  readonly execute: Execute;

  constructor(execute: Execute) {
    super();
    this.execute = execute;
  }
}

interface EmbeddedConfig {
  database: SqliteDatabase;
  isInTransaction(): boolean;
}

class EmbeddedDialect extends SqliteDialect {
  readonly #execute: Execute;
  readonly #config: EmbeddedConfig;

  constructor(execute: Execute, config: EmbeddedConfig) {
    super(config);
    this.#execute = execute;
    this.#config = config;
  }

  override createDriver(): Driver {
    return new EmbeddedDriver(this.#config);
  }

  override createAdapter(): SqliteAdapter {
    return new EmbeddedAdapter(this.#execute);
  }
}

/** After some faults, a full disk for one, the database has undone the transaction by itself: that first fault counts. */
class EmbeddedDriver extends SqliteDriver {
  readonly #isInTransaction: () => boolean;

  constructor(config: EmbeddedConfig) {
    super(config);
    this.#isInTransaction = () => config.isInTransaction();
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#isInTransaction()) await super.rollbackTransaction(connection);
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
