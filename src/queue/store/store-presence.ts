import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { sql } from 'kysely';
import { QueueError } from '../queue.js';
import {
  fileSize,
  markerPath,
  readMarker,
  writeMarker,
  type StoreMarker,
  type StoreProgress,
} from './store-marker.js';
import type { Store } from './schema.js';

/**
 * Refuses a path whose database is gone or is not whole though a store was made there: a store that existed never begins
 * anew by itself. Call it before the database is opened, which would make or change files. Returns the marker. Throws
 * {@link QueueError} `invalid` with the remedy.
 */
export function expectStore(path: string): StoreMarker | undefined {
  const marker = readMarker(path);
  const size = fileSize(path);
  const log = fileSize(`${path}-wal`);
  if (marker) {
    if (size === undefined) throw gone(path, 'is missing, though a store was made here');
    if (size === 0) throw gone(path, 'is empty (0 bytes), though a store was made here');
    if (marker.isOpen && log === undefined) {
      const what = `is without its write-ahead file ${path}-wal, which holds what was written last`;
      const unless = `${otherwiseUsed(path)} and remove ${markerPath(path)}; else `;
      throw gone(path, what, unless);
    }
    return marker;
  }
  if (size === undefined && log !== undefined && log > 0) {
    throw gone(path, `is missing, though its write-ahead file ${path}-wal is there`);
  }
  if (size === 0 && log !== undefined) throw gone(path, 'is empty (0 bytes), though a store was made here');
  if (size !== undefined && size > 0 && log === undefined) expectWhole(path, readHead(path));
  return undefined;
}

/** Says in the database itself whether its write-ahead file is part of it: copied alone it is known for what it is. */
export function inUseStatement(isInUse: boolean): string {
  return `pragma application_id = ${isInUse ? inUseId : 0}`;
}

/** The last change before the closing. What cannot be written leaves a file that is not taken for whole when copied alone. */
export function endUse(execute: (statement: string) => void): void {
  try {
    execute(inUseStatement(false));
  } catch {
    // In its place beside the marker it opens all the same.
  }
}

function expectWhole(path: string, head: Buffer | undefined): void {
  if (!head) return;
  if (isBlank(head)) {
    throw gone(
      path,
      `has nothing in it: all of it was in its write-ahead file ${path}-wal, which is missing`,
    );
  }
  if (head.readUInt32BE(applicationIdAt) !== inUseId) return;
  const what = `was copied while it was in use, without its write-ahead file ${path}-wal, which holds what was written last`;
  throw gone(path, what, `copy that as well; ${otherwiseUsed(path)}; else `);
}

const otherwiseUsed = (path: string): string =>
  `if another program, such as sqlite3, opened it since, run sqlite3 ${path} "${inUseStatement(false)}"`;

/**
 * Refuses a database that is not the one of the marker, or an older state of it. Call it before the schema is changed.
 * Rejects with {@link QueueError} `invalid` with the remedy.
 */
export async function expectSame(db: Store, path: string, marker: StoreMarker | undefined): Promise<void> {
  if (!marker || marker.store === '') return;
  const store = await readIdentity(db);
  if (store !== marker.store) {
    const what = store === undefined ? 'has no id, as an older copy or an empty one' : `has the id ${store}`;
    throw gone(
      path,
      `is not the store that was here: it ${what}, and ${markerPath(path)} says ${marker.store}`,
    );
  }
  const present = await progressOf(db);
  for (const what of ['revision', 'journal'] as const) {
    if (present[what] >= marker.progress[what]) continue;
    const text = `${what} ${present[what]} instead of ${marker.progress[what]}`;
    throw gone(path, `is an older state of the store (${text}): a copy, or one without its write-ahead file`);
  }
}

/** Gives the store an id if it has none, and says in it and beside it that it is there and in use. Rejects with what the database or the file system does. */
export async function markStore(db: Store, path: string): Promise<void> {
  let store = await readIdentity(db);
  if (store === undefined) {
    store = randomUUID();
    await db.insertInto('store_identity').values({ id: 1, store }).execute();
  }
  await sql.raw(inUseStatement(true)).execute(db);
  await sql`pragma wal_checkpoint(PASSIVE)`.execute(db);
  const { revision, journal } = await progressOf(db);
  writeMarker(path, { store, isOpen: true, progress: { revision, journal } });
}

/** How far the store has got. Rejects with the database's error. */
export async function progressOf(db: Store): Promise<StoreProgress> {
  const { rows } = await sql<StoreProgress>`${sql.raw(progressQuery)}`.execute(db);
  return rows[0]!;
}

/** For a connection that is no {@link Store}. */
export const progressQuery = `select (select coalesce(max(revision), 0) from containers) as revision,
  coalesce((select seq from sqlite_sequence where name = 'journal'), 0) as journal`;

async function readIdentity(db: Store): Promise<string | undefined> {
  const tables = await db.introspection.getTables();
  if (!tables.some(({ name }) => name === 'store_identity')) return undefined;
  return (await db.selectFrom('store_identity').select('store').executeTakeFirst())?.store;
}

/** The beginning of the file; `undefined`: it is no database. */
function readHead(path: string): Buffer | undefined {
  const head = Buffer.alloc(headBytes);
  const descriptor = openSync(path, 'r');
  try {
    if (readSync(descriptor, head, 0, headBytes, 0) < headBytes) return undefined;
  } finally {
    closeSync(descriptor);
  }
  return head.toString('latin1', 0, 15) === 'SQLite format 3' ? head : undefined;
}

/** A database of one page that has no table: its first commit is in the write-ahead file still. */
function isBlank(head: Buffer): boolean {
  const hasTables = head.readUInt8(pageTypeAt) !== leafPage || head.readUInt16BE(tablesAt) > 0;
  return head.readUInt8(writeFormatAt) === writeAhead && !hasTables;
}

// Of the file format: the header, then the tree of tables, whose root is a leaf while there are few of them.
const headBytes = 108;
const writeFormatAt = 18;
const writeAhead = 2;
const applicationIdAt = 68;
const inUseId = 0x4c6e6773;
const pageTypeAt = 100;
const leafPage = 0x0d;
const tablesAt = 103;

function gone(path: string, what: string, unless = ''): QueueError {
  const remedy =
    'restore it with "longshore store restore FILE", or begin anew with "longshore store init --force"';
  return new QueueError('invalid', `the database ${path} ${what}: ${unless}${remedy}`);
}
