import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from '../../../src/cli/program.js';
import { copyToConfigured, migrateConfigured } from '../../../src/daemon/store-admin.js';
import { readDriverRecord, writeDriverRecord } from '../../../src/queue/store/driver-records.js';
import { loadConfig } from '../../../src/config/load.js';
import { systemClock } from '../../../src/domain/clock.js';
import { StoreJournal } from '../../../src/journal/store-journal.js';
import { openDatabase } from '../../../src/queue/store/database.js';
import { lockStore } from '../../../src/queue/store/store-lock.js';
import { postgresSource } from '../../support/postgres-source.js';
import { placement, request, storeOn } from './contract.js';

const source = postgresSource();
const result = { exitCode: 3, startedAt: 1, finishedAt: 2, note: '', stdout: 'o\0', stderr: 'e' };

describe('the store commands', () => {
  let folder: string;
  let said: string;
  let url: string;

  const run = async (...argv: string[]): Promise<number> => {
    said = '';
    const write = (text: string): void => void (said += text);
    return runProgram(['--config', join(folder, 'longshore.yaml'), 'store', ...argv], {
      serve: () => Promise.resolve(0),
      machineChart: () => '',
      offeredTypes: () => Promise.reject(new Error('not here')),
      forecastParts: () => Promise.reject(new Error('not here')),
      replayFile: () => Promise.reject(new Error('not here')),
      stores: {
        migrate: (path) => migrateConfigured(loadConfig(path)),
        copy: (path, from, progress) => copyToConfigured(loadConfig(path), from, progress),
      },
      version: '0',
      output: { write, error: write, isTerminal: false },
      env: {},
    });
  };
  const embedded = (): string => join(folder, 'state', 'longshore.db');
  const fill = async (): Promise<string[]> => {
    const db = await openDatabase({ url: embedded() });
    const store = storeOn(db);
    const records = await store.submit(
      Array.from({ length: 1_200 }, (_, index) => ({ ...request, name: `n${index}` })),
    );
    const { uuid } = records[0]!;
    await store.lock(uuid);
    await store.started(uuid, placement, 1);
    await store.complete(uuid, result, { instanceId: placement.instanceId, attempt: 1 });
    const journal = new StoreJournal({
      db,
      clock: systemClock,
      flushMs: 1,
      maxEntries: 1e6,
      onFault: () => {},
    });
    journal.append({ at: 1, kind: 'a', instance: 'i' });
    journal.append({ at: 2, kind: 'b', instance: 'i' });
    await journal.recordIntent({ secretFingerprint: 'f', instanceType: 'small', at: 1 });
    await journal.flush();
    await writeDriverRecord(db, 'static', { text: 'kept', version: 0 });
    await store.stop();
    await db.destroy();
    return records.map((record) => record.uuid);
  };

  beforeEach(async (context) => {
    await source.begin(context);
    url = (await source.create()).url;
    folder = await mkdtemp(join(tmpdir(), 'longshore-store-'));
    await writeFile(join(folder, 'longshore.yaml'), `clusterId: moved\nstateDir: ./state\nstore: '${url}'\n`);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  afterAll(() => source.end());

  it('make the tables, and say that there is nothing to do the second time', async () => {
    expect(await run('migrate', '--json')).toBe(0);
    expect((JSON.parse(said) as { steps: string[] }).steps).toContain('0001-first');
    expect(await run('migrate')).toBe(0);
    expect(said).toMatch(/^PostgreSQL database test\d+ at localhost is up to date\n$/);
  });

  it('make the tables once though many ask at a time', async () => {
    const codes = await Promise.all(Array.from({ length: 4 }, () => run('migrate')));
    expect(codes).toEqual([0, 0, 0, 0]);
  });

  it('refuse the store of a newer version', async () => {
    await run('migrate');
    source.server.run(`insert into kysely_migration values ('9999-later', 'now')`, url.match(/test\d+/)![0]);
    expect(await run('migrate')).toBe(1);
    expect(said).toContain('was written by a newer version of Longshore: use that version');
  });

  it('say what to do when the database is not there', async () => {
    await writeFile(
      join(folder, 'longshore.yaml'),
      `clusterId: moved\nstateDir: ./state\nstore: '${url.replace(/test\d+/, 'none')}'\n`,
    );
    expect(await run('migrate')).toBe(1);
    expect(said).toContain('there is no such database: create it, or correct the name in store');
  });

  it('copy an embedded store with its order, outputs, journal, intents and what drivers keep', async () => {
    const uuids = await fill();
    expect(await run('copy', '--json')).toBe(0);
    expect(JSON.parse(said)).toMatchObject({
      rows: {
        containers: 1_200,
        outputs: 1,
        journal: 2,
        intents: 1,
        driver_records: 1,
        sightings: 0,
        host_keys: 0,
        instance_conduct: 0,
      },
    });
    const db = await openDatabase({ url });
    const store = storeOn(db);
    await store.update();
    expect(store.entries().entries.size).toBe(1_199);
    expect(await store.output(uuids[0]!)).toEqual({ stdout: 'o\0', stderr: 'e' });
    const journal = new StoreJournal({
      db,
      clock: systemClock,
      flushMs: 1,
      maxEntries: 1e6,
      onFault: () => {},
    });
    expect((await journal.read({ instance: 'i' })).map(({ kind }) => kind)).toEqual(['a', 'b']);
    expect(await journal.openIntents()).toHaveLength(1);
    expect(await readDriverRecord(db, 'static')).toEqual({ text: 'kept', version: 1 });
    // What is written next is newer than all that was copied.
    const [fresh] = await store.submit([request]);
    const newest = db.selectFrom('containers').select('uuid').orderBy('revision', 'desc');
    expect((await newest.executeTakeFirst())?.uuid).toBe(fresh!.uuid);
    await store.stop();
    await db.destroy();
  });

  it('copy into an empty database only, and change nothing otherwise', async () => {
    await fill();
    expect(await run('copy')).toBe(0);
    expect(await run('copy')).toBe(1);
    expect(said).toContain('table containers of the target is not empty: copy into an empty database');
    expect(source.server.run('select count(*) from containers', url.match(/test\d+/)![0])).toBe('1200');
  });

  it('copy no store that a daemon uses', async () => {
    await fill();
    const release = lockStore(embedded());
    expect(await run('copy')).toBe(1);
    expect(said).toContain(`is in use by process ${process.pid}`);
    release();
  });
});
