import {
  PostgresAdapter,
  PostgresDialect,
  PostgresDriver,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  type PostgresDialectConfig,
  type PostgresPoolClient,
} from 'kysely';
import pg from 'pg';
import type { DatabaseFault, EmbeddedEvents } from './libsql.js';
import type { StoreTarget } from './store-url.js';

const maxConnections = 8;
const connectTimeoutMs = 5_000;
/** A statement that is not answered for longer is given up, and its connection with it. */
const statementTimeoutMs = 10_000;
const idleTimeoutMs = 30_000;
const int8: number = 20;

const faults: Readonly<Record<string, string>> = {
  '28P01': 'it refuses the user or the password: check store and storePassword',
  '28000': 'it refuses the user: check store and the rules of the server',
  '3D000': 'there is no such database: create it, or correct the name in store',
  '42501': 'the user lacks a permission: grant it, or run "longshore store migrate" as the owner',
  '42P01': 'its tables are not there: run "longshore store migrate"',
  '53100': 'its disk is full: make room',
  '53300': 'it has too many connections: raise max_connections, or use a pooler',
  '57P01': 'it is being shut down',
  '57P02': 'it crashed',
  '57P03': 'it is starting up or shutting down',
  '25006': 'it takes no writes, as a replica does: name the primary server in store',
  '57014': 'it gave the statement up',
  '25P03': 'the change took too long and was undone',
  ECONNREFUSED: 'nothing listens there: is the server up, and are host and port right?',
  ENOENT: 'there is no such socket: is the server up?',
  ENOTFOUND: 'its host name is not known',
  EAI_AGAIN: 'its host name cannot be looked up now',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'it cannot be reached',
  ENETUNREACH: 'it cannot be reached',
  ECONNRESET: 'the connection was lost',
  EPIPE: 'the connection was lost',
};

/** What the server says of its own files. */
const damages: Readonly<Record<string, string>> = {
  XX001: 'the server found its data damaged: see the log of the server, and restore it from a backup',
  XX002: 'the server found an index damaged: see the log of the server, and use REINDEX',
};

/** How to reach a server; beside the address only what this program decides. */
export function postgresClientConfig({ url, password }: StoreTarget): pg.ClientConfig {
  return {
    connectionString: url,
    ...(password === undefined || password === '' ? {} : { password }),
    application_name: 'longshore',
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: statementTimeoutMs,
    keepAlive: true,
    // Times and sizes are below 2^53: plain numbers, as the embedded database hands them out.
    types: {
      getTypeParser: (type, format) =>
        ((type as number) === int8 ? Number : pg.types.getTypeParser(type, format)) as never,
    },
  };
}

/** Connections are made as they are needed, and those that broke are replaced; no session state is relied on. */
export function postgresDialect(
  target: StoreTarget,
  { onError = () => {} }: Pick<EmbeddedEvents, 'onError'> = {},
): Dialect {
  const pool = new pg.Pool({
    ...postgresClientConfig(target),
    max: maxConnections,
    idleTimeoutMillis: idleTimeoutMs,
  });
  // An idle connection that broke is dropped by the pool; whoever needs one gets a new one.
  pool.on('error', () => {});
  return new SharedDialect({
    pool: { connect: async () => dropWhenBroken(await pool.connect(), onError), end: () => pool.end() },
  });
}

class SharedDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig;

  constructor(config: PostgresDialectConfig) {
    super(config);
    this.#config = config;
  }

  override createDriver(): Driver {
    return new SharedDriver(this.#config);
  }
}

/** A connection that broke in a transaction is dropped, and the server undoes it: the first fault counts, not this one. */
class SharedDriver extends PostgresDriver {
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await super.rollbackTransaction(connection).catch((error: unknown) => {
      if (error instanceof pg.DatabaseError) throw error;
    });
  }
}

/** True for a store that several daemons may share: writes are fenced there, and announced. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the schema does not matter here
export function isPostgres(db: Kysely<any>): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter;
}

/** What an error of the server or of the way to it means; `undefined` for one that is not told apart. */
export function postgresFault(cause: unknown): DatabaseFault | undefined {
  if (!(cause instanceof Error)) return undefined;
  const { code = '' } = cause as NodeJS.ErrnoException;
  const damage = damages[code];
  if (damage !== undefined) return { kind: 'damaged', text: damage };
  const text = faults[code] ?? (isConnectionLoss(cause) ? 'it does not answer' : undefined);
  return text === undefined ? undefined : { kind: 'unavailable', text };
}

/** Errors of the client library without a code: the connection ended, or an answer did not come in time. */
function isConnectionLoss(error: Error): boolean {
  return /^(Connection terminated|Query read timeout|timeout expired|timeout exceeded when trying to connect|Client (has encountered a connection error|was closed))/.test(
    error.message,
  );
}

/**
 * A connection on which a statement got no answer may hold its transaction open: nothing is sent on it any more, and
 * it is closed instead of being used again, so that the server undoes the transaction.
 */
function dropWhenBroken(client: pg.PoolClient, onError: (error: unknown) => void): PostgresPoolClient {
  let broken: Error | undefined;
  const note = (error: Error): void => void (broken ??= error);
  client.on('error', note);
  const query = async (text: string, values: unknown[]): Promise<unknown> => {
    if (broken) throw broken;
    try {
      return await client.query(text, values);
    } catch (error) {
      // The server's own refusals have a severity; after any other failure the connection is in an unknown state.
      if (!(error instanceof pg.DatabaseError)) note(error as Error);
      onError(error);
      throw error;
    }
  };
  const release = (): void => {
    client.off('error', note);
    client.release(broken ?? false);
  };
  return { query, release } as unknown as PostgresPoolClient;
}
