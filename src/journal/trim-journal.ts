import { sql } from 'kysely';
import { eventLoopTurn } from '../async/event-loop-turn.js';
import { isPostgres } from '../queue/store/postgres.js';
import type { Store } from '../queue/store/schema.js';

export interface TrimLimits {
  /** The oldest go when there are more. */
  maxEntries: number;
  /** Likewise when the texts of entries have more bytes. */
  maxBytes: number;
  /** Entries and settled intents before this go; epoch ms. */
  before: number;
}

const deleteSize = 2_000;
const finePart = 50;

/** Deletes what the limits do not keep, in parts, so that others get their turn. Open intents always stay. */
export async function trimJournal(db: Store, { maxEntries, maxBytes, before }: TrimLimits): Promise<void> {
  const { first, last } = await db
    .selectFrom('journal')
    .select((eb) => [eb.fn.min('id').as('first'), eb.fn.max('id').as('last')])
    .executeTakeFirstOrThrow();
  const range = { first: Number(first ?? 0), last: Number(last ?? 0) };
  const keepFrom = Math.max(range.last - maxEntries + 1, await firstWithin(db, range, maxBytes));
  for (let id = range.first; id < keepFrom; id += deleteSize) {
    const until = Math.min(id + deleteSize, keepFrom);
    await db.deleteFrom('journal').where('id', '<', until).execute();
    await eventLoopTurn();
  }
  await trimByAge(db, before);
  await db.deleteFrom('intents').where('outcome', 'is not', null).where('at', '<', before).execute();
}

/** The first of the newest entries that together have no more bytes, to within {@link finePart} entries. */
async function firstWithin(
  db: Store,
  { first, last }: { first: number; last: number },
  maxBytes: number,
): Promise<number> {
  if (maxBytes === Infinity) return first;
  let left = maxBytes;
  for (let end = last + 1, size = deleteSize; end > first;) {
    const bytes = await bytesBetween(db, Math.max(first, end - size), end);
    if (bytes <= left) {
      left -= bytes;
      end -= size;
      await eventLoopTurn();
    } else if (size > finePart) size = finePart;
    else return end;
  }
  return first;
}

async function bytesBetween(db: Store, from: number, end: number): Promise<number> {
  const size = isPostgres(db) ? sql<number>`octet_length(entry)` : sql<number>`length(cast(entry as blob))`;
  const { bytes } = await db
    .selectFrom('journal')
    .select((eb) => eb.fn.sum(size).as('bytes'))
    .where('id', '>=', from)
    .where('id', '<', end)
    .executeTakeFirstOrThrow();
  return Number(bytes ?? 0);
}

async function trimByAge(db: Store, before: number): Promise<void> {
  for (;;) {
    const old = db
      .selectFrom('journal')
      .select('id')
      .where('at', '<', before)
      .orderBy('at')
      .limit(deleteSize);
    const { numDeletedRows } = await db.deleteFrom('journal').where('id', 'in', old).executeTakeFirst();
    if (numDeletedRows < BigInt(deleteSize)) return;
    await eventLoopTurn();
  }
}
