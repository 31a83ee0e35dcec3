import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../domain/clock.js';
import type { PageSession, PageSessionStore } from '../domain/page-session.js';

/** Name of the session cookie. */
export const sessionCookie = 'longshore_session';
/** A change with only a cookie must carry this header, which other sites cannot set. */
export const pageHeader = 'x-longshore-page';

const lifetimeMs = 12 * 60 * 60 * 1_000;
/** Maximum number of sessions; a further one ends the oldest. */
const mostSessions = 100;
/** How long a session read from the store is valid without another read. */
const trustedMs = 2_000;
/** How often streams are checked for sessions that ended elsewhere. */
const sweepMs = 5_000;
const idLength = 16;

export interface SessionsOptions {
  managementToken: string;
  store: PageSessionStore;
  clock: Clock;
}

/**
 * Login sessions of the page. A session is a row of the store, so it survives a restart, and deleting the row ends it at
 * every daemon. The cookie is a random secret and its MAC under a key derived from the management token: a forged cookie
 * never reaches the store, and a new token ends all sessions. While the store does not respond, known sessions stay open.
 */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #key: Buffer;
  /** Hashes of open sessions. */
  readonly #found = new Map<string, { expiresAt: number; foundAt: number }>();
  readonly #streams = new Map<string, Set<() => void>>();
  #sweepTimer: unknown;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#key = createHmac('sha256', options.managementToken).update('longshore page session 2').digest();
  }

  /**
   * Opens a session that ends after twelve hours; returns the cookie. Rejects with `QueueError` when it cannot be
   * stored.
   */
  async open(address: string): Promise<{ value: string; expiresAt: number }> {
    const secret = randomBytes(24).toString('base64url');
    const openedAt = this.#options.clock.now();
    const expiresAt = openedAt + lifetimeMs;
    await this.#options.store.add({ hash: hashOf(secret), address, openedAt, expiresAt }, mostSessions);
    return { value: `${secret}.${this.#sign(secret)}`, expiresAt };
  }

  /** Whether the cookie was issued under the current token and its session is open. Rejects with `QueueError`. */
  async isOpen(value: string): Promise<boolean> {
    const hash = this.#hashIn(value);
    return hash !== undefined && this.#isOpenHash(hash);
  }

  /** Ends the session of the cookie and its streams; does nothing for one that is not open. */
  async end(value: string): Promise<void> {
    const hash = this.#hashIn(value);
    if (hash !== undefined) await this.#endHash(hash);
  }

  /** Lists open sessions, each with the id for {@link endById}. */
  async list(): Promise<(Omit<PageSession, 'hash'> & { id: string })[]> {
    const sessions = await this.#options.store.list(this.#options.clock.now());
    return sessions.map(({ hash, ...rest }) => ({ id: hash.slice(0, idLength), ...rest }));
  }

  /** Ends a session; false when the id does not exist. */
  async endById(id: string): Promise<boolean> {
    const sessions = await this.#options.store.list(this.#options.clock.now());
    const session = sessions.find(({ hash }) => hash.slice(0, idLength) === id);
    if (session) await this.#endHash(session.hash);
    return session !== undefined;
  }

  /**
   * Calls `ended` once when the session of the cookie ends, here or elsewhere. Returns a function that unsubscribes.
   */
  whenEnded(value: string, callback: () => void): () => void {
    const hash = this.#hashIn(value);
    if (hash === undefined) return () => {};
    const callbacks = this.#streams.get(hash) ?? new Set();
    this.#streams.set(hash, callbacks.add(callback));
    this.#sweepTimer ??= this.#options.clock.setTimeout(() => void this.#sweep(), sweepMs);
    return () => {
      callbacks.delete(callback);
      if (callbacks.size === 0 && this.#streams.get(hash) === callbacks) this.#streams.delete(hash);
    };
  }

  stop(): void {
    this.#options.clock.clearTimeout(this.#sweepTimer);
    this.#streams.clear();
  }

  async #isOpenHash(hash: string): Promise<boolean> {
    const { clock, store } = this.#options;
    const now = clock.now();
    const found = this.#found.get(hash);
    const isFresh = found !== undefined && found.expiresAt > now;
    if (isFresh && now - found.foundAt < trustedMs) return true;
    let session: PageSession | undefined;
    try {
      session = await store.find(hash);
    } catch (error) {
      if (isFresh) return true;
      throw error;
    }
    this.#found.delete(hash);
    if (session === undefined || session.expiresAt <= now) return false;
    this.#found.set(hash, { expiresAt: session.expiresAt, foundAt: now });
    for (const oldest of this.#found.keys()) {
      if (this.#found.size <= mostSessions) break;
      this.#found.delete(oldest);
    }
    return true;
  }

  async #endHash(hash: string): Promise<void> {
    await this.#options.store.remove(hash);
    this.#endStreams(hash);
  }

  #endStreams(hash: string): void {
    this.#found.delete(hash);
    const callbacks = this.#streams.get(hash);
    this.#streams.delete(hash);
    for (const callback of callbacks ?? []) callback();
  }

  async #sweep(): Promise<void> {
    for (const hash of [...this.#streams.keys()]) {
      // A store that does not respond ends no session.
      if (!(await this.#isOpenHash(hash).catch(() => true))) this.#endStreams(hash);
    }
    this.#sweepTimer = undefined;
    if (this.#streams.size > 0) {
      this.#sweepTimer = this.#options.clock.setTimeout(() => void this.#sweep(), sweepMs);
    }
  }

  /** Returns the hash of the cookie in the store; `undefined` for a cookie that was not issued under this token. */
  #hashIn(value: string): string | undefined {
    const [secret = '', mac = ''] = value.split('.');
    const given = Buffer.from(mac);
    const expected = Buffer.from(this.#sign(secret));
    const isMade = given.length === expected.length && timingSafeEqual(given, expected);
    return isMade ? hashOf(secret) : undefined;
  }

  #sign(secret: string): string {
    return createHmac('sha256', this.#key).update(secret).digest('base64url');
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
