import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import pg from 'pg';
import type { Clock } from '../../domain/clock.js';
import { postgresClientConfig } from './postgres.js';
import type { StoreTarget } from './store-url.js';
import { changesChannel } from './write-rows.js';
import type { Store } from './schema.js';

export interface ChangeFeedOptions {
  /** The server itself, not a pooler that gives connections out by the transaction. */
  listen: StoreTarget;
  db: Store;
  clock: Clock;
  /** Whose own changes are not news. */
  writer: string;
  /** Others changed containers, or may have. Must not throw. */
  onNews(): void;
  /** Announcements come, or do not: then the store is asked at short intervals instead. */
  onMode(mode: 'listening' | 'polling', error: unknown): void;
}

const pollMs = 1_000;
const proofTimeoutMs = 5_000;
const proofIntervalMs = 30_000;
const firstBackOffMs = 500;
const longestBackOffMs = 30_000;

/**
 * Tells of changes that others made to a shared store: by its announcements where these arrive, which is proven again
 * and again by one of its own, and by asking every second where they do not.
 */
export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #end = new AbortController();
  #mode: 'listening' | 'polling' | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.all([this.#poll(), this.#seekAnnouncements()]);
  }

  /** Also while announcements are being sought, which takes its time where they do not arrive. */
  async #poll(): Promise<void> {
    for (;;) {
      await this.#pause(pollMs);
      if (this.#end.signal.aborted) return;
      if (this.#mode !== 'listening') this.#options.onNews();
    }
  }

  async #seekAnnouncements(): Promise<void> {
    for (let backOffMs = firstBackOffMs; !this.#end.signal.aborted;) {
      const startedAt = this.#options.clock.now();
      const error = await this.#listen().catch((cause: unknown) => cause);
      if (this.#end.signal.aborted) return;
      this.#enter('polling', error);
      const wasLong = this.#options.clock.now() - startedAt > proofIntervalMs;
      backOffMs = wasLong ? firstBackOffMs : Math.min(backOffMs * 2, longestBackOffMs);
      await this.#pause(backOffMs);
    }
  }

  /** Resolves when told to stop; rejects when announcements do not come, or come no more. */
  async #listen(): Promise<void> {
    const { signal } = this.#end;
    const client = new pg.Client(postgresClientConfig(this.#options.listen));
    const broken = new Promise<never>((_resolve, reject) => {
      client.on('error', reject);
      client.on('end', () => reject(new Error('the connection for announcements ended')));
    });
    broken.catch(() => {});
    try {
      await Promise.race([client.connect(), broken]);
      const proofs = new Set<string>();
      client.on('notification', ({ payload = '' }) => {
        if (!proofs.delete(payload) && payload !== this.#options.writer) this.#options.onNews();
      });
      await client.query(`listen ${changesChannel}`);
      while (!signal.aborted) {
        await Promise.race([this.#prove(proofs), broken]);
        if (signal.aborted) return;
        this.#enter('listening', undefined);
        await Promise.race([this.#pause(proofIntervalMs), broken]);
      }
    } finally {
      // Whatever becomes of the farewell, nobody waits for it.
      client.end().catch(() => {});
    }
  }

  /** Announces something, and sees it come. */
  async #prove(proofs: Set<string>): Promise<void> {
    const proof = `proof ${randomUUID()}`;
    proofs.add(proof);
    await sql`select pg_notify(${changesChannel}, ${proof})`.execute(this.#options.db);
    for (let leftMs = proofTimeoutMs; proofs.has(proof) && !this.#end.signal.aborted; leftMs -= 20) {
      if (leftMs <= 0)
        throw new Error('announcements do not arrive: is a pooler between? name the server in storeListen');
      await this.#pause(20);
    }
  }

  #enter(mode: 'listening' | 'polling', error: unknown): void {
    if (this.#mode === mode) return;
    this.#mode = mode;
    // What happened while nobody listened.
    this.#options.onNews();
    this.#options.onMode(mode, error);
  }

  #pause(ms: number): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#end;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        clock.clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = clock.setTimeout(done, ms);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
