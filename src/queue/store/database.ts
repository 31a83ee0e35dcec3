import { fileURLToPath } from 'node:url';
import { Kysely, Migrator } from 'kysely';
import { QueueError } from '../queue.js';
import { libsqlDialect, libsqlFault } from './libsql.js';
import { isNewer, migrations } from './migrations.js';
import type { StoreSchema } from './schema.js';
import { storeError } from './store-error.js';

export type Store = Kysely<StoreSchema>;

/** The path of an embedded store, from a path, `file:PATH`, `file:///PATH` or `:memory:`. Throws `invalid` for others. */
export function storePath(url: string): string {
  if (url.startsWith('file://')) return fileURLToPath(url);
  if (url.startsWith('file:')) return url.slice('file:'.length);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1];
  if (scheme !== undefined) {
    throw new QueueError('invalid', `store: "${scheme}" is not supported: give the path of a file`);
  }
  return url;
}

/**
 * Opens the embedded store, and brings its schema up to date. What it acknowledges survives a crash of the machine.
 * Rejects with {@link QueueError} `unavailable`, or `invalid` for a file that is no store or a newer one.
 */
export async function openDatabase(url: string): Promise<Store> {
  const path = storePath(url);
  let db: Store | undefined;
  try {
    db = new Kysely<StoreSchema>({ dialect: await libsqlDialect(path) });
    await migrate(db, path);
    return db;
  } catch (cause) {
    await db?.destroy();
    throw openError(path, cause);
  }
}

async function migrate(db: Store, path: string): Promise<void> {
  if (await isNewer(db)) {
    const text = `store ${path} was written by a newer version of Longshore: use that version`;
    throw new QueueError('invalid', text);
  }
  const provider = { getMigrations: () => Promise.resolve(migrations) };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (error !== undefined) throw error as Error;
}

function openError(path: string, cause: unknown): QueueError {
  if (libsqlFault(cause)?.kind === 'damaged') {
    const text = `${path} is not a Longshore store, or a damaged one: name another file, or move it away`;
    return new QueueError('invalid', text, { cause });
  }
  return storeError(`store ${path} cannot be opened`, cause);
}
