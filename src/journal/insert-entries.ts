import { sql, type Selectable } from 'kysely';
import { executeAside } from '../queue/store/libsql.js';
import { isPostgres } from '../queue/store/postgres.js';
import type { JournalTable, Store } from '../queue/store/schema.js';

export type JournalRow = Omit<Selectable<JournalTable>, 'id'>;

const columns = ['at', 'kind', 'instance', 'container'];

/**
 * Writes rows in their order, all or none. They are handed over as one text and taken apart by the database, which costs
 * this thread a fraction of what a parameter for each value does; the embedded database works on a thread of its own.
 */
export function insertEntries(db: Store, rows: readonly JournalRow[]): Promise<void> {
  return isPostgres(db) ? insertShared(db, rows) : insertAside(db, rows);
}

async function insertShared(db: Store, rows: readonly JournalRow[]): Promise<void> {
  const names = sql.raw([...columns, 'entry'].join(', '));
  await sql`insert into journal (${names}) select ${names} from json_to_recordset(${JSON.stringify(rows)}::json)
    as rows (at bigint, kind text, instance text, container text, entry text)`.execute(db);
}

/**
 * Entries name the columns as the table does. A quote is the one character that would end the literal. The text is put
 * together piece by piece, since it is made one only when the database takes it.
 */
function insertAside(db: Store, rows: readonly JournalRow[]): Promise<void> {
  const values = columns.map((name) => `value ->> '${name}'`).join(', ');
  let statement = `insert into journal (${columns.join(', ')}, entry) select ${values}, value from json_each('[`;
  for (let index = 0; index < rows.length; index++) {
    if (index > 0) statement += ',';
    statement += rows[index]!.entry.replaceAll("'", "''");
  }
  return executeAside(db, `${statement}]')`);
}
