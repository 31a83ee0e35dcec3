/** A login of a browser, as it is kept: the hash of its secret, never the secret. */
export interface PageSession {
  hash: string;
  /** The address that logged in. */
  address: string;
  /** Epoch ms. */
  openedAt: number;
  /** Epoch ms. */
  expiresAt: number;
}

/** Where logins of browsers are kept. Everything rejects with `QueueError` when that fails. */
export interface PageSessionStore {
  /** Durable when it resolves. Expired sessions, and the oldest beyond `most`, are deleted. */
  add(session: PageSession, most: number): Promise<void>;
  /** Expired ones too. */
  find(hash: string): Promise<PageSession | undefined>;
  /** Oldest first, without those that have expired by `now`. */
  list(now: number): Promise<PageSession[]>;
  /** Durable when it resolves. */
  remove(hash: string): Promise<void>;
}
