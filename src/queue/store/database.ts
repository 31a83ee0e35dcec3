import { setTimeout } from 'node:timers/promises';
import { Kysely, Migrator } from 'kysely';
import { QueueError } from '../queue.js';
import { checkIntegrity, damagedStore, type IntegrityCheck } from './integrity.js';
import { libsqlDialect, libsqlFault, type EmbeddedEvents } from './libsql.js';
import { isNewer, migrations } from './migrations.js';
import { postgresDialect } from './postgres.js';
import type { StoreSchema, Store } from './schema.js';
import { storeError } from './store-error.js';
import { noteProgress, type StoreProgress } from './store-marker.js';
import { endUse, expectSame, expectStore, markStore, progressQuery } from './store-presence.js';
import { isPostgresUrl, storeName, storePath, type StoreTarget } from './store-url.js';

/** What the owner of a store hears of its database beside what it asks for. */
export interface StoreEvents {
  /** A statement failed. */
  onError?(error: unknown): void;
  /** The check at the opening took longer than the opening waits, and found this after it. */
  onDamage?(error: QueueError): void;
  /** So long the opening waits for its check of the file; default: long enough for some GB. 0: not at all. */
  longestCheckMs?: number;
  /** The opening took these steps to bring the schema up to date. */
  onMigrated?(steps: readonly string[]): void;
}

const usualCheckMs = 10_000;

/**
 * The database as it is. PostgreSQL is not asked for a connection yet. Rejects with {@link QueueError}
 * `unavailable`, or `invalid` for a file that is no store.
 */
export async function connectStore(target: StoreTarget, events: EmbeddedEvents = {}): Promise<Store> {
  try {
    const { url } = target;
    const dialect = isPostgresUrl(url)
      ? postgresDialect(target, events)
      : await libsqlDialect(storePath(url), events);
    return new Kysely<StoreSchema>({ dialect });
  } catch (cause) {
    throw openError(target, cause);
  }
}

/**
 * Opens the store and brings its schema up to date. What it acknowledges survives a crash of the machine. An embedded
 * store is checked first: that it is the one that was there, and whole. Rejects with {@link QueueError} `unavailable`,
 * or `invalid` for a file that is no store, a damaged or a lost one, and a newer one.
 */
export async function openDatabase(target: StoreTarget, events: StoreEvents = {}): Promise<Store> {
  const path = isPostgresUrl(target.url) ? ':memory:' : storePath(target.url);
  if (path !== ':memory:') return openFile(target, path, events);
  const db = await connectStore(target, events);
  try {
    await migrateStore(db, target);
    return db;
  } catch (cause) {
    await db.destroy();
    throw cause;
  }
}

async function openFile(target: StoreTarget, path: string, events: StoreEvents): Promise<Store> {
  let isMarked = false;
  let check: IntegrityCheck | undefined;
  const onClose: EmbeddedEvents['onClose'] = (isWhole, read) => {
    if (!isMarked || !isWhole) return;
    try {
      noteProgress(path, read(progressQuery) as StoreProgress, false);
    } catch {
      // Then its companion is asked for at the next opening, and that is there.
    }
  };
  let db: Store | undefined;
  try {
    const marker = expectStore(path);
    // A check under way would keep the write-ahead file from being emptied.
    const onClosing: EmbeddedEvents['onClosing'] = (execute) => {
      check?.stop();
      if (isMarked) endUse(execute);
    };
    db = await connectStore(target, { ...events, onClosing, onClose });
    check = await expectWhole(path, events);
    await expectSame(db, path, marker);
    const steps = await migrateStore(db, target);
    events.onMigrated?.(steps);
    await markStore(db, path);
    isMarked = true;
    return db;
  } catch (cause) {
    await db?.destroy();
    throw openError(target, cause);
  }
}

/** Rejects for a damaged file. Returns the check when it goes on for longer than the opening waits. */
async function expectWhole(
  path: string,
  { onDamage, longestCheckMs = usualCheckMs }: StoreEvents,
): Promise<IntegrityCheck | undefined> {
  const check = await checkIntegrity(path, 'quick');
  const findings = longestCheckMs > 0 ? await within(longestCheckMs, check.findings) : undefined;
  if (findings === undefined) {
    check.findings.then(
      (found) => found.length > 0 && onDamage?.(damagedStore(path, found)),
      () => {},
    );
    return check;
  }
  if (findings.length > 0) throw damagedStore(path, findings);
  return undefined;
}

/** `undefined`: not in this time. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const deadline = new AbortController();
  const late = setTimeout(ms, undefined, { signal: deadline.signal }).catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    deadline.abort();
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
