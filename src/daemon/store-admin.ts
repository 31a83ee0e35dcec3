import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from '../config/config.js';
import { QueueError } from '../queue/queue.js';
import { copyStore } from '../queue/store/copy-store.js';
import { connectStore, migrateStore, openDatabase } from '../queue/store/database.js';
import { lockStore } from '../queue/store/store-lock.js';
import { backUpStore, checkStore, initStore, restoreStore } from '../queue/store/store-files.js';
import { isPostgresUrl, storeName, storePath, type StoreTarget } from '../queue/store/store-url.js';

/** Migrates the schema of the configured store. Rejects with `QueueError`. */
export async function migrateConfigured(config: Config): Promise<{ store: string; steps: string[] }> {
  const target = storeTarget(config);
  const isShared = isPostgresUrl(target.url);
  const release = isShared ? () => {} : lockStore(target.url);
  const steps: string[] = [];
  try {
    const db = await (isShared
      ? connectStore(target)
      : openDatabase(target, { onMigrated: (taken) => void steps.push(...taken) }));
    try {
      if (isShared) steps.push(...(await migrateStore(db, target)));
      return { store: storeName(target), steps };
    } finally {
      await db.destroy();
    }
  } finally {
    release();
  }
}

/** Copies an unused embedded store into the configured one. Rejects with `QueueError`. */
export async function copyToConfigured(
  config: Config,
  from: string | undefined,
  progress: (text: string) => void,
): Promise<{ from: string; to: string; rows: Record<string, number> }> {
  const target = storeTarget(config);
  const path = resolve(from ?? resolve(config.stateDir, 'longshore.db'));
  if (!isPostgresUrl(target.url)) {
    throw new QueueError(
      'invalid',
      'store: is no PostgreSQL address: set postgres://USER@HOST/DATABASE to copy to',
    );
  }
  if (!existsSync(path)) throw new QueueError('invalid', `there is no store ${path}: name it with --from`);
  const release = lockStore(path);
  try {
    const source = await openDatabase({ url: path });
    try {
      const copy = await openDatabase(target);
      try {
        return { from: path, to: storeName(target), rows: await copyStore(source, copy, progress) };
      } finally {
        await copy.destroy();
      }
    } finally {
      await source.destroy();
    }
  } finally {
    release();
  }
}

/** Operations on the files of an embedded store. Each rejects with `QueueError`. */
export const storeFiles = {
  check: async (config: Config): Promise<{ store: string; bytes: number }> => {
    const path = embeddedPath(config, 'check it with pg_amcheck');
    return { store: path, bytes: await checkStore(path) };
  },
  backUp: async (config: Config, file: string): Promise<{ store: string; to: string; bytes: number }> => {
    const path = embeddedPath(config, 'back it up with pg_dump');
    const to = resolve(file);
    return { store: path, to, bytes: await backUpStore(path, to) };
  },
  restore: (config: Config, file: string): Promise<{ store: string; aside: string | undefined }> => {
    const path = embeddedPath(config, 'restore it with pg_restore');
    return locked(path, async () => ({
      store: path,
      aside: await restoreStore(path, resolve(file), new Date()),
    }));
  },
  init: (config: Config, isForced: boolean): Promise<{ store: string; aside: string | undefined }> => {
    const path = embeddedPath(config, 'use "longshore store migrate"');
    return locked(path, async () => ({ store: path, aside: await initStore(path, isForced, new Date()) }));
  },
};

function embeddedPath(config: Config, instead: string): string {
  const target = storeTarget(config);
  if (!isPostgresUrl(target.url)) return storePath(target.url);
  throw new QueueError('unsupported', `the store is the ${storeName(target)}: ${instead}`);
}

async function locked<T>(path: string, work: () => Promise<T>): Promise<T> {
  const release = lockStore(path);
  try {
    return await work();
  } finally {
    release();
  }
}

/** Returns the location of the configured store. */
export function storeTarget({ store, storePassword }: Config): StoreTarget {
  return { url: store, password: storePassword };
}
