import { openDatabase, type Store } from './database.js';
import { SqlContainerStore, type SqlContainerStoreOptions } from './sql-container-store.js';
import { lockStore } from './store-lock.js';

export interface OpenStoreOptions extends Omit<SqlContainerStoreOptions, 'db'> {
  /** Path or `file:` URL; `:memory:` for one that ends with the process. Missing folders are made. */
  url: string;
}

export interface OpenedStore {
  /** For the journal, which lives in the same database. */
  db: Store;
  containers: SqlContainerStore;
  /** Ends what is under way, closes the database, and lets the next process in. Flush the journal before. */
  close(): Promise<void>;
}

/**
 * Makes this process the only user of the store, opens it, and brings its schema up to date. Rejects with
 * `QueueError`, everything released: `conflict` naming the process that uses it, `invalid` for a file that is no store
 * or a newer one, `unavailable` when it cannot be read or written.
 */
export async function openStore({ url, ...options }: OpenStoreOptions): Promise<OpenedStore> {
  const unlock = lockStore(url);
  try {
    const db = await openDatabase(url);
    const containers = new SqlContainerStore({ ...options, db });
    const close = async (): Promise<void> => {
      await containers.stop();
      await db.destroy();
      unlock();
    };
    return { db, containers, close };
  } catch (error) {
    unlock();
    throw error;
  }
}
