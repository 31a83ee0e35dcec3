import type { TestContext } from 'vitest';
import type { StoreTarget } from '../../src/queue/store/store-url.js';
import { requirePostgres, startPostgres, type PostgresServer } from './postgres.js';

/** One server for all tests of a file, a database for each. */
export function postgresSource() {
  let server: PostgresServer | undefined;
  return {
    begin: async (context: TestContext): Promise<void> => {
      const bin = requirePostgres(context);
      server ??= await startPostgres(bin);
    },
    create: async (): Promise<StoreTarget> => ({ url: server!.createDatabase() }),
    remove: async (): Promise<void> => {},
    end: async (): Promise<void> => {
      await server?.stop();
      server = undefined;
    },
    get server(): PostgresServer {
      return server!;
    },
  };
}
