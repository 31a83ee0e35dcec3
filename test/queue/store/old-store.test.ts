import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/domain/clock.js';
import { StoreJournal } from '../../../src/journal/store-journal.js';
import { openDatabase } from '../../../src/queue/store/database.js';
import type { StoreTarget } from '../../../src/queue/store/store-url.js';
import { postgresSource } from '../../support/postgres-source.js';
import { request, storeOn } from './contract.js';

const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'fixtures', name));
const embedded = (): Buffer => gunzipSync(fixture('longshore-0.1.0.db.gz'));

/** What every store of that version has after it was opened by this one. */
async function expectAll(target: StoreTarget): Promise<void> {
  const db = await openDatabase(target);
  const store = storeOn(db);
  const journal = new StoreJournal({
    db,
    clock: systemClock,
    flushMs: 1,
    maxEntries: 1e6,
    onFault: () => {},
  });
  try {
    await store.update();
    const { items } = await store.list({ limit: 100 });
    const told = items.map(({ name, state, exitCode, attempt }) => ({ name, state, exitCode, attempt }));
    expect(told.sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      { name: 'cancelled', state: 'Cancelled', exitCode: undefined, attempt: 0 },
      { name: 'ends', state: 'Complete', exitCode: 3, attempt: 1 },
      { name: 'ends well', state: 'Complete', exitCode: 0, attempt: 1 },
      { name: 'runs', state: 'Running', exitCode: undefined, attempt: 1 },
      { name: 'waits', state: 'Queued', exitCode: undefined, attempt: 0 },
    ]);
    const named = (name: string) => items.find((each) => each.name === name)!;
    expect(await store.output(named('ends').uuid)).toEqual({ stdout: 'out\n', stderr: 'err\n' });
    expect(named('ends').env).toEqual({ A: 'b' });
    expect([await store.failed(), store.entries().entries.size]).toEqual([1, 2]);
    const [entry] = await journal.read({ container: named('ends').uuid, kind: 'container.complete' });
    expect(entry).toMatchObject({ because: 'it exited with status 3' });
    expect(await journal.recordedIntents()).toHaveLength(1);
    // It is written as well: the running one ends where it was placed, a known key makes no second container.
    const running = named('runs');
    const result = { exitCode: 0, startedAt: 1, finishedAt: 2, note: '', stdout: 'late', stderr: '' };
    const origin = { instanceId: running.instanceId, attempt: 1 };
    expect(await store.complete(running.uuid, result, origin)).toMatchObject({ kind: 'taken' });
    const [known] = await store.submit([{ ...request, idempotencyKey: 'k' }]);
    expect(known?.uuid).toBe(named('ends well').uuid);
    const [fresh] = await store.submit([request]);
    expect((await store.find(fresh!.uuid))?.state).toBe('Queued');
  } finally {
    await journal.stop();
    await store.stop();
    await db.destroy();
  }
}

describe('an embedded store of version 0.1.0', () => {
  let path: string;

  beforeEach(async () => {
    path = join(await mkdtemp(join(tmpdir(), 'longshore-old-')), 'longshore.db');
  });
  afterEach(() => rm(join(path, '..'), { recursive: true }));

  it('opens, is brought up to date and keeps its containers, outputs and journal', async () => {
    await writeFile(path, embedded());
    await expectAll({ url: path });
  });

  it('gets a marker, so that it is missed from then on', async () => {
    await writeFile(path, embedded());
    await (await openDatabase({ url: path })).destroy();
    expect(existsSync(`${path}.id`)).toBe(true);
    await writeFile(path, '');
    await expect(openDatabase({ url: path })).rejects.toThrow('though a store was made here');
  });

  it('is refused when it is damaged', async () => {
    const bytes = embedded();
    bytes.fill(0x5a, 3 * 4_096, 20 * 4_096);
    await writeFile(path, bytes);
    await expect(openDatabase({ url: path })).rejects.toThrow('is damaged');
  });
});

describe('a PostgreSQL store of version 0.1.0', () => {
  const source = postgresSource();
  beforeEach((context) => source.begin(context));
  afterAll(() => source.end());

  it('opens, is brought up to date and keeps its containers, outputs and journal', async () => {
    const target = await source.create();
    const database = new URL(target.url).pathname.slice(1);
    source.server.run(fixture('longshore-0.1.0.sql').toString('utf8'), database);
    await expectAll(target);
  });
});
