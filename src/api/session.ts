import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../domain/clock.js';
import type { PageSession, PageSessionStore } from '../domain/page-session.js';

/** Name of the cookie that keeps a browser logged in. */
export const sessionCookie = 'longshore_session';
/** A request that changes something and is known by a cookie alone must carry this header: no other site can add it. */
export const pageHeader = 'x-longshore-page';

const lifetimeMs = 12 * 60 * 60 * 1_000;
/** Logins at a time; one more ends the oldest. */
const mostSessions = 100;
/** How long a session that was found in the store is not looked up again. */
const trustedMs = 2_000;
/** How often streams of sessions that ended elsewhere are looked for. */
const sweepMs = 5_000;
const idLength = 16;

export interface SessionsOptions {
  managementToken: string;
  store: PageSessionStore;
  clock: Clock;
}

/**
 * Logins of browsers. A session is a row of the store, so it outlives a restart and ends everywhere when it is deleted.
 * The cookie is a random secret and its MAC by a key made from the management token: a forged one never reaches the
 * store, and a change of the token ends all sessions. While the store does not answer, sessions found before stay open.
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

  /** A new session, as the cookie's value; ends after twelve hours. Rejects with `QueueError` when it cannot be kept. */
  async open(address: string): Promise<{ value: string; expiresAt: number }> {
    const secret = randomBytes(24).toString('base64url');
    const openedAt = this.#options.clock.now();
    const expiresAt = openedAt + lifetimeMs;
    await this.#options.store.add({ hash: hashOf(secret), address, openedAt, expiresAt }, mostSessions);
    return { value: `${secret}.${this.#sign(secret)}`, expiresAt };
  }

  /** True for a session that was opened with the same token, and has not ended. Rejects with `QueueError`. */
  async isOpen(value: string): Promise<boolean> {
    const hash = this.#hashIn(value);
    return hash !== undefined && this.#isOpenHash(hash);
  }

  /** Ends the session of that cookie, and its streams; one that is not open is left alone. */
  async end(value: string): Promise<void> {
    const hash = this.#hashIn(value);
    if (hash !== undefined) await this.#endHash(hash);
  }

  /** Open sessions, each with the id that {@link endById} takes. */
  async list(): Promise<(Omit<PageSession, 'hash'> & { id: string })[]> {
    const sessions = await this.#options.store.list(this.#options.clock.now());
    return sessions.map(({ hash, ...rest }) => ({ id: hash.slice(0, idLength), ...rest }));
  }

  /** False when no session has that id. */
  async endById(id: string): Promise<boolean> {
    const sessions = await this.#options.store.list(this.#options.clock.now());
    const session = sessions.find(({ hash }) => hash.slice(0, idLength) === id);
    if (session) await this.#endHash(session.hash);
    return session !== undefined;
  }

  /** Calls back once when the session of that cookie ends, here or elsewhere. Returns the end of that. */
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
      // A store that does not answer ends nothing.
      if (!(await this.#isOpenHash(hash).catch(() => true))) this.#endStreams(hash);
    }
    this.#sweepTimer = undefined;
    if (this.#streams.size > 0) {
      this.#sweepTimer = this.#options.clock.setTimeout(() => void this.#sweep(), sweepMs);
    }
  }

  /** The hash by which the store knows the cookie; `undefined` for one that was not made with this token. */
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
