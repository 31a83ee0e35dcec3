import { QueueError } from '../queue.js';
import { lastRevision } from './container-reads.js';
import { guarded } from './store-error.js';
import type { StoreSchema, Store } from './schema.js';

type CopiedTable =
  | 'containers'
  | 'outputs'
  | 'journal'
  | 'intents'
  | 'driver_records'
  | 'sightings'
  | 'host_keys'
  | 'instance_conduct';

/** Each with the column that orders it, and how many of its rows go at a time: outputs may be large. */
const tables = [
  { name: 'containers', key: 'uuid', pageSize: 500 },
  { name: 'outputs', key: 'uuid', pageSize: 10 },
  { name: 'intents', key: 'fingerprint', pageSize: 500 },
  { name: 'driver_records', key: 'name', pageSize: 10 },
  { name: 'sightings', key: 'instance_id', pageSize: 500 },
  { name: 'host_keys', key: 'instance_id', pageSize: 500 },
  { name: 'instance_conduct', key: 'instance_id', pageSize: 500 },
  { name: 'journal', key: 'id', pageSize: 1_000 },
] as const satisfies { name: CopiedTable; key: string; pageSize: number }[];

/**
 * Copies all rows of one store into another, which must have none, in one transaction, and counts them there. Returns
 * the rows of each table. Rejects with {@link QueueError}, the target unchanged.
 */
export function copyStore(
  source: Store,
  target: Store,
  progress: (text: string) => void,
): Promise<Record<string, number>> {
  return guarded('the store cannot be copied', () =>
    target.transaction().execute(async (copy) => {
      // The lock of this row keeps others from writing meanwhile.
      const revision = await lastRevision(source);
      await copy.updateTable('fence').set({ revision }).where('id', '=', 1).execute();
      const rows: Record<string, number> = {};
      for (const table of tables) {
        if ((await countRows(copy, table.name)) > 0) {
          const text = `table ${table.name} of the target is not empty: copy into an empty database`;
          throw new QueueError('invalid', text);
        }
        rows[table.name] = await copyTable(source, copy, table, progress);
        const copied = await countRows(copy, table.name);
        if (copied !== rows[table.name]) {
          throw new QueueError('unavailable', `${table.name}: ${copied} of ${rows[table.name]} rows arrived`);
        }
      }
      return rows;
    }),
  );
}

async function copyTable(
  source: Store,
  copy: Store,
  { name, key, pageSize }: (typeof tables)[number],
  progress: (text: string) => void,
): Promise<number> {
  const total = await countRows(source, name);
  for (let done = 0, after: unknown = name === 'journal' ? 0 : ''; ;) {
    const page = await source
      .selectFrom(name as 'journal')
      .selectAll()
      .where(key as 'id', '>', after as number)
      .orderBy(key as 'id')
      .limit(pageSize)
      .execute();
    if (page.length > 0)
      await copy
        .insertInto(name as 'journal')
        .values(page.map(withoutId))
        .execute();
    done += page.length;
    progress(`${name}: ${done} of ${total}`);
    if (page.length < pageSize) return done;
    after = page.at(-1)![key as 'id'];
  }
}

/** The target numbers its journal itself, in the same order. */
function withoutId<Row extends { id?: unknown }>({ id: _id, ...rest }: Row): Omit<Row, 'id'> {
  return rest;
}

async function countRows(db: Store, table: keyof StoreSchema): Promise<number> {
  const { count } = await db
    .selectFrom(table)
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
}
