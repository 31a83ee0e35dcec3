import { chmodSync, closeSync, copyFileSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { sql } from 'kysely';
import { QueueError } from '../queue.js';
import { connectStore, openDatabase } from './database.js';
import { checkIntegrity, damagedStore } from './integrity.js';
import { libsqlFault } from './libsql.js';
import { fileSize, noteProgress, readMarker, type StoreMarker } from './store-marker.js';
import { lockStore } from './store-lock.js';
import { endUse, expectStore, inUseStatement } from './store-presence.js';

/** All files of an embedded store, by what they have after its path; its lock is no part of it. */
const ends = ['', '-wal', '-shm', '.id'];

/**
 * Copies the store into a new file, whole and as of one moment, whether a daemon uses it or not. Returns the size of the
 * copy. Rejects with {@link QueueError}, leaving no file.
 */
export async function backUpStore(path: string, to: string): Promise<number> {
  try {
    return await reading(path, () => copyInto(path, to));
  } catch (cause) {
    if (cause instanceof QueueError) throw cause;
    const text = libsqlFault(cause)?.text ?? (cause as Error).message;
    throw new QueueError('unavailable', `the store ${path} cannot be copied to ${to}: ${text}`, { cause });
  }
}

async function copyInto(path: string, to: string): Promise<number> {
  makeFile(to);
  try {
    await vacuumInto(path, to);
    await expectUndamaged(to);
    sync(to);
    return fileSize(to) ?? 0;
  } catch (error) {
    rmSync(to, { force: true });
    throw error;
  } finally {
    for (const end of ends.slice(1)) rmSync(to + end, { force: true });
  }
}

/**
 * Puts the copy in the place of the store, which no daemon may use, and sets what was there aside. Returns where that is
 * now. Rejects with {@link QueueError}, nothing being changed, for a copy that is damaged or no store.
 */
export async function restoreStore(path: string, from: string, now: Date): Promise<string | undefined> {
  if ((fileSize(from) ?? 0) === 0) throw new QueueError('invalid', `there is no copy of a store in ${from}`);
  const draft = `${path}.new`;
  removeAll(draft);
  try {
    copyFileSync(from, draft);
    chmodSync(draft, 0o600);
    // What it has to be is what the daemon asks of it: a store, whole, of no newer version.
    await (await openDatabase({ url: draft })).destroy();
    const aside = setAside(path, now);
    for (const end of ends) if (fileSize(draft + end) !== undefined) renameSync(draft + end, path + end);
    sync(path);
    return aside;
  } catch (cause) {
    if (cause instanceof QueueError)
      throw new QueueError(cause.code, cause.message.replaceAll(draft, from), { cause });
    throw new QueueError('unavailable', `the store cannot be restored: ${(cause as Error).message}`, {
      cause,
    });
  } finally {
    removeAll(draft);
  }
}

/**
 * Makes a new store, empty; one that is there is set aside only when `isForced`. Returns where that is now. Rejects with
 * {@link QueueError}.
 */
export async function initStore(path: string, isForced: boolean, now: Date): Promise<string | undefined> {
  const isThere = ends.some((end) => (fileSize(path + end) ?? 0) > 0);
  if (isThere && !isForced) {
    const text = `there is a store ${path}, or what is left of one: with --force it is set aside`;
    throw new QueueError('conflict', text);
  }
  const aside = isThere ? setAside(path, now) : undefined;
  await (await openDatabase({ url: path })).destroy();
  return aside;
}

/** Checks all of the file, which takes a while. Rejects with {@link QueueError} for a damaged or a missing one. */
export async function checkStore(path: string): Promise<number> {
  return reading(path, async () => {
    await expectUndamaged(path);
    return fileSize(path) ?? 0;
  });
}

/**
 * Reads the store while a daemon may use it. When none does, or no more, what it left in the write-ahead file is moved
 * into the database: who closes that last does so anyway, and removes the file, which the marker still asks for.
 */
async function reading<T>(path: string, read: () => Promise<T>): Promise<T> {
  expectStore(path);
  if (fileSize(path) === undefined) throw new QueueError('invalid', `there is no store ${path}`);
  await closeIfLeft(path);
  const result = await read();
  await closeIfLeft(path);
  return result;
}

async function closeIfLeft(path: string): Promise<void> {
  const release = tryLock(path);
  if (!release) return;
  try {
    const marker = readMarker(path);
    if (marker?.isOpen) await closeCrashed(path, marker);
  } finally {
    release();
  }
}

/** `undefined`: a daemon uses it. */
function tryLock(path: string): (() => void) | undefined {
  try {
    return lockStore(path);
  } catch (error) {
    if (error instanceof QueueError && error.code === 'conflict') return undefined;
    throw error;
  }
}

async function closeCrashed(path: string, { progress }: StoreMarker): Promise<void> {
  const onClose = (isWhole: boolean): void => {
    if (isWhole) noteProgress(path, progress, false);
  };
  const db = await connectStore({ url: path }, { onClosing: endUse, onClose });
  try {
    await sql`select count(*) from sqlite_master`.execute(db);
  } finally {
    await db.destroy();
  }
}

async function expectUndamaged(path: string): Promise<void> {
  const findings = await (await checkIntegrity(path, 'full')).findings;
  if (findings.length > 0) throw damagedStore(path, findings);
}

async function vacuumInto(path: string, to: string): Promise<void> {
  const { default: Database } = await import('libsql/promise');
  const database = new Database(path, {});
  try {
    await database.exec(`pragma busy_timeout = 5000; vacuum into '${to.replaceAll("'", "''")}'`);
  } finally {
    database.close();
  }
  const copy = new Database(to, {});
  try {
    await copy.exec(inUseStatement(false));
  } finally {
    copy.close();
  }
}

/** Empty, and for its owner only from the beginning. */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const text =
      code === 'EEXIST' ? `${path} is there already: name a new file` : `${path} cannot be made: ${message}`;
    throw new QueueError('invalid', text, { cause });
  }
}

/** Under a name of its own, by which it is a store still. */
function setAside(path: string, now: Date): string | undefined {
  const aside = `${path}.before-${now.toISOString().replaceAll(/[:.]/g, '-')}`;
  const present = ends.filter((end) => fileSize(path + end) !== undefined);
  for (const end of present) renameSync(path + end, aside + end);
  return present.length > 0 ? aside : undefined;
}

function removeAll(path: string): void {
  for (const end of ends) rmSync(path + end, { force: true });
}

/** The file and its name are on the disk when this returns. */
function sync(path: string): void {
  for (const each of [path, dirname(path)]) {
    const descriptor = openSync(each, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}
