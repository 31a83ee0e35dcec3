import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Store } from './schema.js';

const length = 16;

/** Names a store in PostgreSQL, the same whatever way leads to it. Rejects with the database's error. */
export async function storeIdentity(db: Store): Promise<string> {
  const { rows } = await sql<{ identity: string }>`
    select s.system_identifier || '/' || d.oid || '/' || current_schema() as identity
    from pg_control_system() s, pg_database d where d.datname = current_database()`.execute(db);
  const identity = rows[0]?.identity ?? '';
  return createHash('sha256').update(identity).digest('hex').slice(0, length);
}
