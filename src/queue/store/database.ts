import { Kysely, Migrator } from 'kysely';
import { QueueError } from '../queue.js';
import { libsqlDialect, libsqlFault } from './libsql.js';
import { isNewer, migrations } from './migrations.js';
import { postgresDialect } from './postgres.js';
import type { StoreSchema } from './schema.js';
import { storeError } from './store-error.js';
import { isPostgresUrl, storeName, storePath, type StoreTarget } from './store-url.js';

export type Store = Kysely<StoreSchema>;

/**
 * The database as it is. PostgreSQL is not asked for a connection yet. Rejects with {@link QueueError}
 * `unavailable`, or `invalid` for a file that is no store.
 */
export async function connectStore(target: StoreTarget): Promise<Store> {
  try {
    const { url } = target;
    const dialect = isPostgresUrl(url) ? postgresDialect(target) : await libsqlDialect(storePath(url));
    return new Kysely<StoreSchema>({ dialect });
  } catch (cause) {
    throw openError(target, cause);
  }
}

/**
 * Opens the store and brings its schema up to date. What it acknowledges survives a crash of the machine.
 * Rejects with {@link QueueError} `unavailable`, or `invalid` for a file that is no store or a newer one.
 */
export async function openDatabase(target: StoreTarget): Promise<Store> {
  const db = await connectStore(target);
  try {
    await migrateStore(db, target);
    return db;
  } catch (cause) {
    await db.destroy();
    throw cause;
  }
}

/**
 * Brings the schema up to date; many may try at once. Returns the names of the steps taken. Rejects with
 * {@link QueueError} `unavailable`, or `invalid` for a store of a newer version.
 */
export async function migrateStore(db: Store, target: StoreTarget): Promise<string[]> {
  try {
    if (await isNewer(db)) {
      const text = `store ${storeName(target)} was written by a newer version of Longshore: use that version`;
      throw new QueueError('invalid', text);
    }
    const provider = { getMigrations: () => Promise.resolve(migrations) };
    const { error, results = [] } = await new Migrator({ db, provider }).migrateToLatest();
    if (error !== undefined) throw error as Error;
    return results.map(({ migrationName }) => migrationName);
  } catch (cause) {
    throw openError(target, cause);
  }
}

function openError(target: StoreTarget, cause: unknown): QueueError {
  if (cause instanceof QueueError) return cause;
  const name = storeName(target);
  if (libsqlFault(cause)?.kind === 'damaged') {
    const text = `${name} is not a Longshore store, or a damaged one: name another file, or move it away`;
    return new QueueError('invalid', text, { cause });
  }
  return storeError(`store ${name} cannot be opened`, cause);
}
