import { sql } from 'kysely';
import type { Store } from '../queue/store/schema.js';

/** Who leads, as the store's row of it says. */
export interface Lease {
  /** Grows with each leader: the fencing token of its writes. */
  epoch: number;
  /** Grows with each sign of life. */
  beat: number;
  /** `''`: nobody leads. */
  holder: string;
  /** Where the leader's API is. */
  url: string;
  /** The instance set that the containers of this store run on; `''` before the first leader. */
  setId: string;
}

/** Rejects with the database's error, as all here do. */
export async function readLease(db: Store): Promise<Lease> {
  const {
    epoch,
    beat,
    holder,
    url,
    set_id: setId,
  } = await db.selectFrom('leadership').selectAll().where('id', '=', 1).executeTakeFirstOrThrow();
  return { epoch, beat, holder, url, setId };
}

/**
 * Takes the lease over from the one that was seen, unless that leader gave a sign of life since, or another was faster.
 * Returns the new epoch. It is in force for all writes at once: those under way come before it, or fail.
 */
export async function claimLease(
  db: Store,
  seen: Lease,
  { holder, url, setId }: Pick<Lease, 'holder' | 'url' | 'setId'>,
): Promise<number | undefined> {
  const { rows } = await sql<{ epoch: number }>`
    with claimed as (
      update leadership
      set epoch = epoch + 1, beat = beat + 1, holder = ${holder}, url = ${url}, set_id = ${setId}
      where id = 1 and epoch = ${seen.epoch} and beat = ${seen.beat} returning epoch
    )
    update fence set epoch = claimed.epoch from claimed where fence.id = 1 returning fence.epoch`.execute(db);
  return rows[0]?.epoch;
}

/** A sign of life. False: another leads. */
export async function renewLease(db: Store, epoch: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('leadership')
    .set((eb) => ({ beat: eb('beat', '+', 1) }))
    .where('id', '=', 1)
    .where('epoch', '=', epoch)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** True while no later leader took over. */
export async function isLatestEpoch(db: Store, epoch: number): Promise<boolean> {
  const row = await db
    .selectFrom('leadership')
    .select('id')
    .where('id', '=', 1)
    .where('epoch', '=', epoch)
    .executeTakeFirst();
  return row !== undefined;
}

/** Lets another lead at once. Without effect when one does. */
export async function resignLease(db: Store, epoch: number): Promise<void> {
  await db
    .updateTable('leadership')
    .set((eb) => ({ beat: eb('beat', '+', 1), holder: '', url: '' }))
    .where('id', '=', 1)
    .where('epoch', '=', epoch)
    .execute();
}
