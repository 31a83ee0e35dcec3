import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kysely, Migrator, SqliteDialect } from 'kysely';
import { QueueError } from '../queue.js';
import { isNewer, migrations } from './migrations.js';
import type { StoreSchema } from './schema.js';

export type Store = Kysely<StoreSchema>;

/**
 * Opens the embedded store, and brings its schema up to date. What it acknowledges survives a crash of the machine.
 * Rejects with {@link QueueError} `unavailable`, or `invalid` for a file that is no store or a newer one.
 */
export async function openDatabase(url: string): Promise<Store> {
  const path = url.replace(/^file:(\/\/)?/, '');
  const { default: Database } = await import('libsql');
  let db: Store;
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
    const database = new Database(path);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('busy_timeout = 5000');
    db = new Kysely<StoreSchema>({ dialect: new SqliteDialect({ database: database }) });
  } catch (cause) {
    throw openError(path, cause);
  }
  if (await isNewer(db as never)) {
    await db.destroy();
    throw new QueueError(
      'invalid',
      `store ${path} was written by a newer version of Longshore: use that version`,
    );
  }
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(migrations) } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) {
    await db.destroy();
    throw openError(path, error);
  }
  return db;
}

function openError(path: string, cause: unknown): QueueError {
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/not a database/i.test(text)) {
    return new QueueError('invalid', `${path} is not a Longshore store: name another file, or move it away`, {
      cause,
    });
  }
  return new QueueError('unavailable', `store ${path} cannot be opened: ${text}`, { cause });
}
