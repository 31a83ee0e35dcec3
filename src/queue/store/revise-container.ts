import { sql } from 'kysely';
import { QueueError } from '../queue.js';
import type { ContainerRow } from './container-rows.js';
import type { RowChange } from './container-transitions.js';
import type { Store } from './database.js';

const mostAttempts = 10;

/** One more than the revision of any row: read and used by the same statement. */
const nextRevision = sql<number>`(select coalesce(max(revision), 0) + 1 from containers)`;

/**
 * Reads the row, asks what becomes of it, and writes that unless the row was changed meanwhile: then it asks anew.
 * Returns the row as it is afterwards. Passes on what `decide` throws; `not-found` for an unknown container.
 */
export async function reviseContainer(
  db: Store,
  uuid: string,
  decide: (row: ContainerRow) => RowChange,
): Promise<{ row: ContainerRow; isChanged: boolean }> {
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const row = await containerRow(db, uuid);
    const change = decide(row);
    if (change === undefined) return { row, isChanged: false };
    const { numUpdatedRows } = await db
      .updateTable('containers')
      .set({ ...change, revision: nextRevision })
      .where('uuid', '=', uuid)
      .where('state', '=', row.state)
      .where('revision', '=', row.revision)
      .executeTakeFirst();
    if (numUpdatedRows > 0n) return { row: { ...row, ...change }, isChanged: true };
  }
  throw new QueueError('unavailable', `container ${uuid} is changed by others all the time`);
}

/** Rejects with `not-found`. */
export async function containerRow(db: Store, uuid: string): Promise<ContainerRow> {
  const row = await db.selectFrom('containers').selectAll().where('uuid', '=', uuid).executeTakeFirst();
  if (!row) throw new QueueError('not-found', `container ${uuid} is not known`);
  return row;
}

/** The highest revision of any container; 0 when there is none. */
export async function lastRevision(db: Store): Promise<number> {
  const { last } = await db
    .selectFrom('containers')
    .select((eb) => eb.fn.max('revision').as('last'))
    .executeTakeFirstOrThrow();
  return Number(last ?? 0);
}
