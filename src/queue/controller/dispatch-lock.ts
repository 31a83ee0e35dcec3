import pg from 'pg';
import { QueueError } from '../queue.js';
import { postgresClientConfig, postgresFault } from '../store/postgres.js';
import type { StoreTarget } from '../store/store-url.js';

/** The advisory lock that each cloud dispatcher of a cluster holds while it dispatches (SC-6). */
export const dispatchLockKey = 10_005;

export interface DispatchLockOptions {
  /** The cluster's own database, without a pooler between: the lock belongs to a session. */
  database: StoreTarget;
  /** Names the session to people, and to other daemons of the same store. */
  application: string;
}

/** Sessions of hosts that went down without a word end in about ten seconds, as far as the server may decide. */
const keepAlive =
  'set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3';
const isThisLock = `locktype = 'advisory' and classid = 0 and objid = ${dispatchLockKey} and objsubid = 1 and granted
  and database = (select oid from pg_database where datname = current_database())`;

/**
 * The dispatch lock on a session of its own. It keeps the old dispatcher out, and nothing else: a lock may outlive the
 * network or a paused process, so daemons of one store are kept apart by their lease. Rejects with {@link QueueError}.
 */
export class DispatchLock {
  readonly #options: DispatchLockOptions;
  #client: pg.Client | undefined;
  #isHeld = false;

  constructor(options: DispatchLockOptions) {
    this.#options = options;
  }

  /** False as soon as the session is known to have ended. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Opens the session; one that is open is kept. */
  async connect(): Promise<void> {
    if (this.#client) return;
    const { database, application } = this.#options;
    const client = new pg.Client({ ...postgresClientConfig(database), application_name: application });
    const lost = (): void => {
      if (this.#client === client) this.close();
    };
    client.on('error', lost);
    client.on('end', lost);
    this.#client = client;
    await this.#guarded(async () => {
      await client.connect();
      await client.query(keepAlive);
    });
  }

  /** False: another session has it. */
  async take(): Promise<boolean> {
    const [row] = await this.#query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [
      dispatchLockKey,
    ]);
    // The session may have ended while its answer was on the way.
    this.#isHeld = (row?.taken ?? false) && this.#client !== undefined;
    return this.#isHeld;
  }

  /** Who has it, for people; `''`: no other session does, as far as can be seen. */
  async holder(): Promise<string> {
    const [row] = await this.#query<{ pid: number; application_name: string | null; client: string | null }>(
      `select l.pid, a.application_name, host(a.client_addr) as client
       from pg_locks l left join pg_stat_activity a on a.pid = l.pid
       where ${isThisLock} and l.pid <> pg_backend_pid()`,
    );
    if (!row) return '';
    const name =
      row.application_name === null || row.application_name === '' ? '' : ` "${row.application_name}"`;
    return `session ${row.pid}${name}${row.client === null ? '' : ` from ${row.client}`}`;
  }

  /** Ends the session of another daemon of this store, which does not lead any more. */
  async evict(): Promise<void> {
    await this.#query(
      `select pg_terminate_backend(l.pid, 2000) from pg_locks l join pg_stat_activity a on a.pid = l.pid
       where ${isThisLock} and l.pid <> pg_backend_pid() and a.application_name = $1`,
      [this.#options.application],
    );
  }

  /** Asks the session whether it still has the lock. */
  async check(): Promise<boolean> {
    const rows = await this.#query(`select 1 from pg_locks where ${isThisLock} and pid = pg_backend_pid()`);
    return this.#isHeld && rows.length > 0;
  }

  /** Ends the session, and the lock with it. */
  close(): void {
    const client = this.#client;
    this.#client = undefined;
    this.#isHeld = false;
    // Whatever becomes of the farewell, nobody waits for it.
    client?.end().catch(() => {});
  }

  async #query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    await this.connect();
    const client = this.#client;
    if (!client) throw new QueueError('unavailable', 'the session of the dispatch lock ended');
    return this.#guarded(async () => (await client.query<Row>(text, values)).rows);
  }

  /** A session with an error is in an unknown state: it is given up, and the lock with it. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      this.close();
      const why = postgresFault(cause)?.text ?? (cause as Error).message;
      const text = `controller.database: the cluster's database cannot be used for the dispatch lock: ${why}`;
      throw new QueueError('unavailable', text, { cause });
    }
  }
}
