import type { PageSession, PageSessionStore } from '../../domain/page-session.js';
import { guarded } from './store-error.js';
import type { Store } from './schema.js';

/** Logins of browsers in the store: every daemon of a shared store knows them. */
export class SqlPageSessions implements PageSessionStore {
  readonly #db: Store;

  constructor(db: Store) {
    this.#db = db;
  }

  add(session: PageSession, most: number): Promise<void> {
    return guarded('the login cannot be kept', async () => {
      const { hash, address, openedAt, expiresAt } = session;
      const row = { hash, address, opened_at: openedAt, expires_at: expiresAt };
      await this.#db.insertInto('page_sessions').values(row).execute();
      await this.#db.deleteFrom('page_sessions').where('expires_at', '<=', openedAt).execute();
      const kept = this.#db
        .selectFrom('page_sessions')
        .select('hash')
        .orderBy('opened_at', 'desc')
        .orderBy('hash')
        .limit(most);
      await this.#db.deleteFrom('page_sessions').where('hash', 'not in', kept).execute();
    });
  }

  find(hash: string): Promise<PageSession | undefined> {
    return guarded('the login cannot be read', async () => {
      const row = await this.#db
        .selectFrom('page_sessions')
        .selectAll()
        .where('hash', '=', hash)
        .executeTakeFirst();
      return row && sessionOf(row);
    });
  }

  list(now: number): Promise<PageSession[]> {
    return guarded('the logins cannot be read', async () => {
      const rows = await this.#db
        .selectFrom('page_sessions')
        .selectAll()
        .where('expires_at', '>', now)
        .orderBy('opened_at')
        .execute();
      return rows.map(sessionOf);
    });
  }

  remove(hash: string): Promise<void> {
    return guarded('the login cannot be ended', async () => {
      await this.#db.deleteFrom('page_sessions').where('hash', '=', hash).execute();
    });
  }
}

interface Row {
  hash: string;
  address: string;
  opened_at: number;
  expires_at: number;
}

function sessionOf({ hash, address, opened_at, expires_at }: Row): PageSession {
  return { hash, address, openedAt: Number(opened_at), expiresAt: Number(expires_at) };
}
