import { sql } from 'kysely';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChangeFeed } from '../../../src/queue/store/change-feed.js';
import { connectStore } from '../../../src/queue/store/database.js';
import { changesChannel } from '../../../src/queue/store/write-rows.js';
import { HeapClock } from '../../../src/simulation/heap-clock.js';
import { postgresSource } from '../../support/postgres-source.js';
import type { Store } from '../../../src/queue/store/schema.js';

const source = postgresSource();
const patient = { timeout: 60_000, interval: 5 };

describe('changes that others make to a shared store', { timeout: 90_000 }, () => {
  const url = { store: '', elsewhere: '' };
  let db: Store;
  let clock: HeapClock;
  let feed: ChangeFeed;
  let news: number[];
  let modes: string[];

  beforeEach(async (context) => {
    await source.begin(context);
    url.store = (await source.create()).url;
    url.elsewhere = (await source.create()).url;
    db = await connectStore({ url: url.store });
    clock = new HeapClock(0);
    [news, modes] = [[], []];
  });
  afterEach(async () => {
    await feed?.stop();
    await db?.destroy();
  });
  afterAll(() => source.end());

  const start = (listenTo: string): void => {
    feed = new ChangeFeed({
      listen: { url: listenTo },
      db,
      clock,
      writer: 'me',
      onNews: () => void news.push(clock.now()),
      onMode: (mode, error) => void modes.push(error instanceof Error ? `${mode}: ${error.message}` : mode),
    });
    feed.start();
  };
  /** Lets virtual time pass in steps that leave the server time to answer. */
  const passUntil = (isThere: () => boolean, stepMs = 20) =>
    expect
      .poll(async () => {
        await clock.advance(stepMs);
        return isThere();
      }, patient)
      .toBe(true);
  const announce = (writer: string) => sql`select pg_notify(${changesChannel}, ${writer})`.execute(db);

  it('are asked for every second, without a gap, where announcements do not arrive', async () => {
    // A session that hears of another database hears nothing, as one behind a pooler.
    start(url.elsewhere);
    await passUntil(() => modes.length > 0);
    expect(modes).toEqual([expect.stringMatching(/^polling: announcements do not arrive.*storeListen$/)]);
    // Long enough to seek announcements several times.
    const until = clock.now() + 30_000;
    await passUntil(() => clock.now() >= until, 100);
    const gaps = news.map((at, index) => at - (news[index - 1] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1_000);
    expect(modes).toHaveLength(1);
  });

  it('are heard of at once where they do, and then nobody asks', async () => {
    start(url.store);
    await passUntil(() => modes.length > 0);
    expect(modes).toEqual(['listening']);
    const before = news.length;
    const until = clock.now() + 10_000;
    await passUntil(() => clock.now() >= until);
    expect(news).toHaveLength(before);
    await announce('me');
    await announce('somebody else');
    // In the order in which they were made, so that the first one was heard of by then.
    await expect.poll(() => news.length, patient).toBe(before + 1);
  });

  it('are asked for once announcements end, and heard of again once they are back', async () => {
    start(url.store);
    await passUntil(() => modes.length > 0);
    const [from, database] = [clock.now(), new URL(url.store).pathname.slice(1)];
    source.server.run(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}' and query like 'listen %'`,
      database,
    );
    await passUntil(() => modes.length === 3);
    expect(modes).toEqual(['listening', expect.stringContaining('polling: '), 'listening']);
    expect(news.filter((at) => at > from).length).toBeGreaterThanOrEqual(2);
  });
});
