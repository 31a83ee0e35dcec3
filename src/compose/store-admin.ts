import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from '../config/config.js';
import { QueueError } from '../queue/queue.js';
import { copyStore } from '../queue/store/copy-store.js';
import { connectStore, migrateStore, openDatabase } from '../queue/store/database.js';
import { lockStore } from '../queue/store/store-lock.js';
import { isPostgresUrl, storeName, type StoreTarget } from '../queue/store/store-url.js';

/** Brings the schema of the configured store up to date. Rejects with `QueueError`. */
export async function migrateConfigured(config: Config): Promise<{ store: string; steps: string[] }> {
  const target = storeTarget(config);
  const release = isPostgresUrl(target.url) ? () => {} : lockStore(target.url);
  try {
    const db = await connectStore(target);
    try {
      return { store: storeName(target), steps: await migrateStore(db, target) };
    } finally {
      await db.destroy();
    }
  } finally {
    release();
  }
}

/** Copies an embedded store that no daemon uses into the configured one. Rejects with `QueueError`. */
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

/** Where the configured store is. */
export function storeTarget({ store, storePassword }: Config): StoreTarget {
  return { url: store, password: storePassword };
}
