import type { Store } from '../queue/store/database.js';
import { eventLoopTurn } from '../queue/store/event-loop-turn.js';

export interface TrimLimits {
  /** The oldest go when there are more. */
  maxEntries: number;
  /** Entries and settled intents before this go; epoch ms. */
  before: number;
}

const deleteSize = 2_000;

/** Deletes what the limits do not keep, in parts, so that others get their turn. Open intents always stay. */
export async function trimJournal(db: Store, { maxEntries, before }: TrimLimits): Promise<void> {
  const { first, last } = await db
    .selectFrom('journal')
    .select((eb) => [eb.fn.min('id').as('first'), eb.fn.max('id').as('last')])
    .executeTakeFirstOrThrow();
  const keepFrom = Number(last ?? 0) - maxEntries + 1;
  for (let id = Number(first ?? 0); id < keepFrom; id += deleteSize) {
    const until = Math.min(id + deleteSize, keepFrom);
    await db.deleteFrom('journal').where('id', '<', until).execute();
    await eventLoopTurn();
  }
  await trimByAge(db, before);
  await db.deleteFrom('intents').where('outcome', 'is not', null).where('at', '<', before).execute();
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
