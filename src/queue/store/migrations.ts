import { DEFAULT_MIGRATION_TABLE as migrationTable, sql, type Kysely, type Migration } from 'kysely';
import { isPostgres } from './postgres.js';
import type { StoreSchema } from './schema.js';

/** Short texts that are compared by their bytes on every database, whatever order its words have. */
function plainText(db: Kysely<unknown>, length: number) {
  return isPostgres(db) ? sql`varchar(${sql.lit(length)}) collate "C"` : sql`varchar(${sql.lit(length)})`;
}

const first: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('containers')
      .addColumn('uuid', plainText(db, 64), (column) => column.primaryKey())
      .addColumn('revision', 'bigint', (column) => column.notNull())
      .addColumn('state', plainText(db, 16), (column) => column.notNull())
      .addColumn('priority', plainText(db, 20), (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('command', 'text', (column) => column.notNull())
      .addColumn('env', 'text', (column) => column.notNull())
      .addColumn('image', 'text', (column) => column.notNull())
      .addColumn('cwd', 'text', (column) => column.notNull())
      .addColumn('constraints', 'text', (column) => column.notNull())
      .addColumn('scheduling', 'text', (column) => column.notNull())
      .addColumn('tmp_mount_bytes', 'bigint', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('idempotency_key', 'text', (column) => column.unique())
      .addColumn('attempts', 'integer', (column) => column.notNull())
      .addColumn('max_attempts', 'integer', (column) => column.notNull())
      .addColumn('lock_count', 'integer', (column) => column.notNull())
      .addColumn('instance_id', 'text', (column) => column.notNull())
      .addColumn('instance_type', 'text', (column) => column.notNull())
      .addColumn('price_per_hour', 'double precision', (column) => column.notNull())
      .addColumn('started_at', 'bigint')
      .addColumn('finished_at', 'bigint')
      .addColumn('exit_code', 'integer')
      .addColumn('error', 'text', (column) => column.notNull())
      .addColumn('cost', 'double precision')
      .execute();
    await db.schema.createIndex('containers_revision').on('containers').column('revision').execute();
    await db.schema.createIndex('containers_state').on('containers').columns(['state', 'priority']).execute();
    await db.schema
      .createTable('outputs')
      .addColumn('uuid', plainText(db, 64), (column) => column.primaryKey())
      .addColumn('stdout', 'text', (column) => column.notNull())
      .addColumn('stderr', 'text', (column) => column.notNull())
      .execute();
    const journal = db.schema.createTable('journal');
    const journalWithId = isPostgres(db)
      ? journal.addColumn('id', 'bigserial', (column) => column.primaryKey())
      : journal.addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement());
    await journalWithId
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('instance', 'text')
      .addColumn('container', 'text')
      .addColumn('entry', 'text', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('journal_instance').on('journal').columns(['instance', 'id']).execute();
    await db.schema.createIndex('journal_container').on('journal').columns(['container', 'id']).execute();
    await db.schema
      .createTable('intents')
      .addColumn('fingerprint', 'varchar(80)', (column) => column.primaryKey())
      .addColumn('instance_type', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('outcome', 'text')
      .execute();
  },
};

/** Pages of the container list and of the journal without sorting; output with zero bytes, which text cannot hold. */
const second: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const index = (name: string, table: string, columns: string[]): Promise<void> =>
      db.schema.createIndex(name).on(table).columns(columns).execute();
    await index('containers_created', 'containers', ['created_at', 'uuid']);
    await index('containers_state_created', 'containers', ['state', 'created_at', 'uuid']);
    await index('containers_name', 'containers', ['name', 'created_at', 'uuid']);
    await index('containers_instance', 'containers', ['instance_id', 'created_at', 'uuid']);
    await index('journal_kind', 'journal', ['kind', 'id']);
    await index('journal_at', 'journal', ['at']);
    await db.schema
      .alterTable('outputs')
      .addColumn('encoding', 'varchar(8)', (column) => column.notNull().defaultTo('plain'))
      .execute();
  },
};

/** Who leads, and the row by which the writes of the leader are told from those of an earlier one. */
const third: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('leadership')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('epoch', 'bigint', (column) => column.notNull())
      .addColumn('beat', 'bigint', (column) => column.notNull())
      .addColumn('holder', 'text', (column) => column.notNull())
      .addColumn('url', 'text', (column) => column.notNull())
      .addColumn('set_id', 'text', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('fence')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('epoch', 'bigint', (column) => column.notNull())
      .addColumn('revision', 'bigint', (column) => column.notNull())
      .execute();
    await sql`insert into leadership (id, epoch, beat, holder, url, set_id) values (1, 0, 0, '', '', '')`.execute(
      db,
    );
    await sql`insert into fence (id, epoch, revision)
      select 1, 0, coalesce(max(revision), 0) from containers`.execute(db);
  },
};

/** What drivers keep. */
const fourth: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('driver_records')
      .addColumn('name', plainText(db, 64), (column) => column.primaryKey())
      .addColumn('text', 'text', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .execute();
  },
};

/** Attempts that ran nothing of their container. */
const unchargedAttempts: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable('containers')
      .addColumn('uncharged_attempts', 'integer', (column) => column.notNull().defaultTo(0))
      .execute();
  },
};

/** The instance that the last attempt was given to: what another one reports does not count. */
const attemptInstance: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable('containers')
      .addColumn('attempt_instance', 'text', (column) => column.notNull().defaultTo(''))
      .execute();
    await sql`update containers set attempt_instance = instance_id`.execute(db);
  },
};

/** Failed containers are counted each second, however many there are of the others. */
const failedContainers: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await sql`create index containers_failed on containers (uuid)
      where state = 'Complete' and coalesce(exit_code, 1) <> 0`.execute(db);
  },
};

/** Since when instances are known, so that their age and cost outlive a daemon. */
const sightings: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('sightings')
      .addColumn('instance_id', plainText(db, 512), (column) => column.primaryKey())
      .addColumn('first_seen_at', 'bigint', (column) => column.notNull())
      .addColumn('seen_at', 'bigint', (column) => column.notNull())
      .addColumn('instance_type', 'text', (column) => column.notNull())
      .addColumn('price_per_hour', 'double precision', (column) => column.notNull())
      .execute();
  },
};

/** What an embedded store is called: the file beside it says the same. A server knows its databases by itself. */
const storeIdentity: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    if (isPostgres(db)) return;
    await db.schema
      .createTable('store_identity')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('store', 'text', (column) => column.notNull())
      .execute();
  },
};

/** Logins of browsers, which end when they are deleted here. */
const pageSessions: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('page_sessions')
      .addColumn('hash', plainText(db, 64), (column) => column.primaryKey())
      .addColumn('address', 'text', (column) => column.notNull())
      .addColumn('opened_at', 'bigint', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .execute();
  },
};

/** Host keys that instances proved themselves with, so that a later daemon knows a changed one. */
const hostKeys: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('host_keys')
      .addColumn('instance_id', plainText(db, 512), (column) => column.primaryKey())
      .addColumn('type', 'text', (column) => column.notNull())
      .addColumn('fingerprint', 'text', (column) => column.notNull())
      .addColumn('pinned_at', 'bigint', (column) => column.notNull())
      .addColumn('seen_at', 'bigint', (column) => column.notNull())
      .addColumn('is_final', 'integer', (column) => column.notNull())
      .addColumn('refused_type', 'text', (column) => column.notNull())
      .addColumn('refused_fingerprint', 'text', (column) => column.notNull())
      .execute();
  },
};

/** Strikes and quarantines of instances, so that their reason outlives a daemon. */
const instanceConduct: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('instance_conduct')
      .addColumn('instance_id', plainText(db, 512), (column) => column.primaryKey())
      .addColumn('strikes', 'text', (column) => column.notNull())
      .addColumn('claims_refused', 'bigint', (column) => column.notNull())
      .addColumn('quarantined_at', 'bigint')
      .addColumn('because', 'text', (column) => column.notNull())
      .addColumn('seen_at', 'bigint', (column) => column.notNull())
      .execute();
  },
};

/** Every change of the schema, in order, forward only; none is ever edited after a release. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-first': first,
  '0002-pages': second,
  '0003-leadership': third,
  '0004-driver-records': fourth,
  '0005-uncharged-attempts': unchargedAttempts,
  '0006-attempt-instance': attemptInstance,
  '0007-failed-containers': failedContainers,
  '0008-sightings': sightings,
  '0009-store-identity': storeIdentity,
  '0010-page-sessions': pageSessions,
  '0011-host-keys': hostKeys,
  '0012-instance-conduct': instanceConduct,
};

/** True when the database knows a change that this program does not: it belongs to a newer version. */
export async function isNewer(db: Kysely<StoreSchema>): Promise<boolean> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === migrationTable)) return false;
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(migrationTable)}`.execute(db);
  return rows.some(({ name }) => !(name in migrations));
}
