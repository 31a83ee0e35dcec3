import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Store } from '../../src/queue/store/database.js';
import type { SqlContainerStore } from '../../src/queue/store/sql-container-store.js';
import { request, storeOn } from './contract.js';

describe('an embedded store whose disk is full', () => {
  let folder: string;
  let db: Store;
  let store: SqlContainerStore;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longshore-full-'));
    db = await openDatabase({ url: join(folder, 'store.db') });
    store = storeOn(db, { patienceMs: 10_000 });
    await store.update();
  });
  afterEach(async () => {
    await store.stop();
    await db.destroy();
    await rm(folder, { recursive: true });
  });

  const pages = async (): Promise<number> => {
    const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(db);
    return rows[0]!.page_count;
  };
  // What the database says then is the same as on a full disk.
  const limit = (count: number): Promise<unknown> =>
    sql`pragma max_page_count = ${sql.lit(count)}`.execute(db);
  const large = Array.from({ length: 200 }, () => ({ ...request, env: { A: 'x'.repeat(2_000) } }));

  it('refuses submissions as a whole, with cause and remedy, and goes on once there is room', async () => {
    const [{ uuid } = { uuid: '' }] = await store.submit([request]);
    await limit(await pages());
    await expect(store.submit(large)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('its disk is full: make room') as string,
    });
    expect((await store.counts()).Queued).toBe(1);
    expect((await store.find(uuid))?.state).toBe('Queued');
    await limit(1_000_000);
    await store.submit(large);
    expect((await store.counts()).Queued).toBe(201);
  });

  it('keeps a result until there is room for it', async () => {
    const [{ uuid } = { uuid: '' }] = await store.submit([request]);
    await store.lock(uuid);
    await store.started(uuid, { instanceId: 'i', instanceTypeName: 't', pricePerHour: 1 }, 1);
    await limit(await pages());
    const stdout = 'x'.repeat(200_000);
    const result = { exitCode: 0, startedAt: 1, finishedAt: 2, note: '', stdout, stderr: '' };
    const completing = store.complete(uuid, result);
    await expect.poll(async () => (await store.find(uuid))?.state).toBe('Running');
    await limit(1_000_000);
    await completing;
    expect(await store.output(uuid)).toEqual({ stdout, stderr: '' });
  });
});
