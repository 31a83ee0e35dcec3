import { sql } from 'kysely';
import { QueueError } from '../queue.js';
import { lastRevision } from './container-reads.js';
import type { ContainerRow } from './container-rows.js';
import type { RowChange } from './container-transitions.js';
import { isPostgres } from './postgres.js';
import type { ContainerResult } from '../../domain/container-work.js';
import type { Store } from './schema.js';

/** What a row becomes, and the output kept with it. */
export interface RowWrite {
  row: ContainerRow;
  change: NonNullable<RowChange>;
  output: EncodedOutput | undefined;
}

/** An output as its table holds it. */
export interface EncodedOutput {
  stdout: string;
  stderr: string;
  encoding: 'plain' | 'json';
}

/** By which the leader shows that it leads still; `undefined`: a wish of an owner, which holds whoever leads. */
export type Epoch = number | undefined;

/** The columns that transitions change, and what they are to a JSON reader. */
const changing = {
  state: 'text',
  priority: 'text',
  lock_count: 'integer',
  instance_id: 'text',
  instance_type: 'text',
  price_per_hour: 'double precision',
  started_at: 'bigint',
  finished_at: 'bigint',
  exit_code: 'integer',
  attempts: 'integer',
  uncharged_attempts: 'integer',
  attempt_instance: 'text',
  error: 'text',
  scheduling: 'text',
  cost: 'double precision',
} as const satisfies Partial<Record<keyof ContainerRow, string>>;
const changingNames = Object.keys(changing) as (keyof typeof changing)[];

/** The channel on which writes are announced, with the writer's name. */
export const changesChannel = 'longshore_changes';

/** Text columns end at a zero byte: output that has one is kept as JSON. */
export function encodeOutput(output: Pick<ContainerResult, 'stdout' | 'stderr'>): EncodedOutput {
  const [stdout, stderr] = [output.stdout.toWellFormed(), output.stderr.toWellFormed()];
  if (!stdout.includes('\0') && !stderr.includes('\0')) return { stdout, stderr, encoding: 'plain' };
  return { stdout: JSON.stringify(stdout), stderr: JSON.stringify(stderr), encoding: 'json' };
}

/**
 * Writes each row that is still as it was read, all of them durable at once, with revisions in the order of the writes.
 * Returns the ids of those written. Rejects with `superseded`, having changed nothing, when the epoch is over.
 */
export async function writeRows(
  db: Store,
  writes: readonly RowWrite[],
  epoch: Epoch,
  writer: string,
): Promise<Set<string>> {
  return isPostgres(db) ? writeShared(db, writes, epoch, writer) : writeAlone(db, writes);
}

/** The embedded database: this process is the only one. */
function writeAlone(db: Store, writes: readonly RowWrite[]): Promise<Set<string>> {
  return db.transaction().execute(async (transaction) => {
    const written = new Set<string>();
    for (const { row, change, output } of writes) {
      const { numUpdatedRows } = await transaction
        .updateTable('containers')
        .set({ ...change, revision: sql<number>`(select coalesce(max(revision), 0) + 1 from containers)` })
        .where('uuid', '=', row.uuid)
        .where('revision', '=', row.revision)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) continue;
      written.add(row.uuid);
      if (!output) continue;
      await transaction
        .insertInto('outputs')
        .values({ uuid: row.uuid, ...output })
        .onConflict((conflict) => conflict.column('uuid').doUpdateSet(output))
        .execute();
    }
    return written;
  });
}

/**
 * One statement, so that a writer who is paused or cut off never holds the fence's lock. That lock puts all writes in
 * one order: who reads up to a revision misses nothing below it. The epoch is read under it, so that no write of an
 * earlier leader comes after the first one of a later leader.
 */
async function writeShared(
  db: Store,
  writes: readonly RowWrite[],
  epoch: Epoch,
  writer: string,
): Promise<Set<string>> {
  const input = writes.map(({ row, change, output }, index) => ({
    ...Object.fromEntries(changingNames.map((name) => [name, { ...row, ...change }[name]])),
    ...output,
    uuid: row.uuid,
    seen: row.revision,
    place: index + 1,
  }));
  const columns = sql.raw(changingNames.map((name) => `${name} ${changing[name]}`).join(', '));
  const assignments = sql.raw(changingNames.map((name) => `${name} = input.${name}`).join(', '));
  const { rows } = await sql<{ isLeading: boolean; uuids: string[] }>`
    with fenced as (
      update fence set revision = revision + ${writes.length}::bigint
      where id = 1 and epoch = coalesce(${epoch ?? null}::bigint, epoch) returning revision
    ), input as (
      select * from json_to_recordset(${JSON.stringify(input)}::json) as input (
        uuid text, seen bigint, place bigint, stdout text, stderr text, encoding text, ${columns})
    ), written as (
      update containers set ${assignments}, revision = fenced.revision - ${writes.length}::bigint + input.place
      from input, fenced where containers.uuid = input.uuid and containers.revision = input.seen
      returning containers.uuid
    ), kept as (
      insert into outputs (uuid, stdout, stderr, encoding)
      select input.uuid, input.stdout, input.stderr, input.encoding from input join written using (uuid)
      where input.encoding is not null
      on conflict (uuid) do update
      set stdout = excluded.stdout, stderr = excluded.stderr, encoding = excluded.encoding
    )
    select exists (select from fenced) as "isLeading", array(select uuid::text from written) as uuids,
      pg_notify(${changesChannel}, ${writer})`.execute(db);
  if (!rows[0]!.isLeading) throw superseded();
  return new Set(rows[0]!.uuids);
}

/**
 * Takes `count` revisions for rows of this transaction, and makes all other writers wait for its end. Returns the
 * first. PostgreSQL ends the transaction when its writer falls silent.
 */
export async function takeRevisions(transaction: Store, count: number, writer: string): Promise<number> {
  if (!isPostgres(transaction)) return (await lastRevision(transaction)) + 1;
  await sql`set local idle_in_transaction_session_timeout = ${sql.lit(longestSilenceMs)}`.execute(
    transaction,
  );
  const { revision } = await transaction
    .updateTable('fence')
    .set((eb) => ({ revision: eb('revision', '+', count) }))
    .where('id', '=', 1)
    .returning('revision')
    .executeTakeFirstOrThrow();
  await sql`select pg_notify(${changesChannel}, ${writer})`.execute(transaction);
  return revision - count + 1;
}

const longestSilenceMs = 3_000;

function superseded(): QueueError {
  return new QueueError('superseded', 'another daemon leads now: this one changes nothing any more');
}
