import { guarded } from './store-error.js';
import type { Store } from './schema.js';

/** What a driver keeps; it grows by one with each write. */
export interface StoredRecord {
  /** `undefined` before the first write. */
  text: string | undefined;
  version: number;
}

/** Rejects with `QueueError`. */
export async function readDriverRecord(db: Store, name: string): Promise<StoredRecord> {
  const row = await guarded('the record of the driver cannot be read', () =>
    db.selectFrom('driver_records').selectAll().where('name', '=', name).executeTakeFirst(),
  );
  return row ? { text: row.text, version: row.version } : { text: undefined, version: 0 };
}

/**
 * Writes it, durable, unless somebody wrote since that version was read: so no daemon overwrites what another one that
 * took over has written. False: nothing was written. Rejects with `QueueError`.
 */
export async function writeDriverRecord(
  db: Store,
  name: string,
  { text, version }: { text: string; version: number },
): Promise<boolean> {
  return guarded('the record of the driver cannot be written', async () => {
    if (version === 0) {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('driver_records')
        .values({ name, text, version: 1 })
        .onConflict((conflict) => conflict.column('name').doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    }
    const { numUpdatedRows } = await db
      .updateTable('driver_records')
      .set({ text, version: version + 1 })
      .where('name', '=', name)
      .where('version', '=', version)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  });
}
