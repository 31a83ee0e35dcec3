import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreJournal } from '../../../src/journal/store-journal.js';
import { openDatabase } from '../../../src/queue/store/database.js';
import { executeAside } from '../../../src/queue/store/libsql.js';
import type { SqlContainerStore } from '../../../src/queue/store/sql-container-store.js';
import { HeapClock } from '../../../src/simulation/heap-clock.js';
import { request, storeOn } from './contract.js';
import type { Store } from '../../../src/queue/store/schema.js';

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

  it('names the first cause of a refusal, not the undoing that the database did by itself', async () => {
    // As another process fills the disk: it is met at the first page of a small change.
    await limit(await pages());
    const single = { ...request, env: { A: 'x'.repeat(20_000) } };
    await expect(store.submit([single])).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the store did not take a change: its disk is full: make room',
    });
    await limit(1_000_000);
    await store.submit([single]);
    expect((await store.counts()).Queued).toBe(1);
  });

  it('keeps a result until there is room for it', async () => {
    const [{ uuid } = { uuid: '' }] = await store.submit([request]);
    await store.lock(uuid);
    await store.started(uuid, { instanceId: 'i', instanceTypeName: 't', pricePerHour: 1 }, 1);
    await limit(await pages());
    const stdout = 'x'.repeat(200_000);
    const result = { exitCode: 0, startedAt: 1, finishedAt: 2, note: '', stdout, stderr: '' };
    const completing = store.complete(uuid, result, { instanceId: 'i', attempt: 1 });
    await expect.poll(async () => (await store.find(uuid))?.state).toBe('Running');
    await limit(1_000_000);
    await completing;
    expect(await store.output(uuid)).toEqual({ stdout, stderr: '' });
  });
});

describe('a journal whose disk is full', () => {
  it(
    'keeps what it can, says so once, and writes it in order once there is room',
    { timeout: 120_000 },
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'longshore-full-'));
      const db = await openDatabase({ url: join(folder, 'store.db') });
      const clock = new HeapClock(1_000_000);
      const faults: [string, number][] = [];
      let recoveries = 0;
      const journal = new StoreJournal({
        db,
        clock,
        flushMs: 50,
        maxEntries: 1_000_000,
        onFault: (error, dropped) => faults.push([String(error), dropped]),
        onRecovered: () => recoveries++,
      });
      const append = (at: number): void => journal.append({ at, kind: 'test', because: 'x'.repeat(500) });
      // The journal is written on a connection of its own, which has its own limit.
      const limit = (pages: number): Promise<void> => executeAside(db, `pragma max_page_count = ${pages}`);
      try {
        append(0);
        await journal.flush();
        await limit(1);
        for (let at = 1; at <= 1_000; at++) append(at);
        await journal.flush();
        for (let second = 0; second < 5; second++) await clock.advance(1_000);
        await journal.flush();
        expect(faults).toEqual([[expect.stringContaining('its disk is full: make room'), 0]]);
        expect(journal.state()).toEqual({
          waiting: 1_000,
          dropped: 0,
          leftOutBytes: 0,
          fault: 'the journal cannot be written: its disk is full: make room',
        });
        for (let at = 1_001; at <= 60_000; at++) append(at);
        const { waiting, dropped } = journal.state();
        expect(waiting).toBeLessThanOrEqual(50_000);
        expect(waiting + dropped).toBe(60_000);
        expect(faults.slice(1).reduce((sum, [, lost]) => sum + lost, 0)).toBe(dropped);
        await limit(1_000_000);
        await clock.advance(1_000);
        const written = expect.poll(() => journal.state(), { timeout: 60_000 });
        await written.toEqual({ waiting: 0, dropped, leftOutBytes: 0, fault: undefined });
        expect(recoveries).toBe(1);
        const kept = await journal.read({ limit: 100_000 });
        expect(kept.map(({ at }) => at)).toEqual([
          0,
          ...Array.from({ length: waiting }, (_, index) => 60_000 - waiting + 1 + index),
        ]);
      } finally {
        await journal.stop();
        await db.destroy();
        await rm(folder, { recursive: true });
      }
    },
  );

  it('is lost, and counted, when the daemon stops before there is room', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'longshore-full-'));
    const db = await openDatabase({ url: join(folder, 'store.db') });
    const clock = new HeapClock(0);
    const faults: number[] = [];
    const onFault = (_error: unknown, dropped: number): void => void faults.push(dropped);
    const journal = new StoreJournal({ db, clock, flushMs: 50, maxEntries: 1_000_000, onFault });
    await executeAside(db, 'pragma max_page_count = 1');
    for (let at = 0; at < 100; at++) journal.append({ at, kind: 'test', because: 'x'.repeat(500) });
    await journal.stop();
    expect([faults, clock.pending]).toEqual([[0, 100], 0]);
    await db.destroy();
    await rm(folder, { recursive: true });
  });
});
