import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { instanceLimits } from '../../../src/domain/instance-limits.js';
import { StoreJournal } from '../../../src/journal/store-journal.js';
import { openDatabase } from '../../../src/queue/store/database.js';
import { HeapClock } from '../../../src/simulation/heap-clock.js';
import type { Store } from '../../../src/queue/store/schema.js';

const minute = 60_000;
const MiB = 2 ** 20;
const filler = 'x'.repeat(1_000);
let folder: string;
let db: Store;
let clock: HeapClock;
let journal: StoreJournal;

function open(maxBytes?: number): StoreJournal {
  return new StoreJournal({
    db,
    clock,
    flushMs: 50,
    maxEntries: 1_000_000,
    ...(maxBytes === undefined ? {} : { maxBytes }),
    onFault: (error) => expect.fail(String(error)),
  });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longshore-journal-'));
  db = await openDatabase({ url: join(folder, 'store.db') });
  clock = new HeapClock(1_700_000_000_000);
  journal = open();
});
afterEach(async () => {
  await journal.stop();
  await db.destroy();
  await rm(folder, { recursive: true });
});

async function bytesInStore(): Promise<number> {
  const { rows } = await sql<{ bytes: number }>`select sum(length(entry)) as bytes from journal`.execute(db);
  return rows[0]!.bytes;
}

describe('the journal of instances that flood it', () => {
  it('takes less than 1 MB a minute from three of them, for 6 minutes', { timeout: 60_000 }, async () => {
    for (let second = 0; second < 6 * 60; second++) {
      for (const instance of ['i-1', 'i-2', 'i-3']) {
        for (let number = 0; number < 30; number++) {
          const kind = number % 3 === 0 ? 'container.found' : 'worker.step';
          journal.append({ at: clock.now(), kind, instance, because: filler });
        }
      }
      await clock.advance(1_000);
    }
    await journal.flush();
    expect((await bytesInStore()) / 6).toBeLessThan(1_000_000);
  });

  it('says in one entry for each minute how much was left out, and leaves out steps first', async () => {
    const append = (kind: string): void =>
      journal.append({ at: clock.now(), kind, instance: 'i-1', because: filler });
    for (let number = 0; number < 400; number++) append('worker.step');
    for (let number = 0; number < 50; number++) append('container.found');
    await clock.advance(minute);
    const [cut, ...more] = await journal.read({ kind: 'journal.cut' });
    expect(more).toEqual([]);
    const left = await journal.read({ instance: 'i-1', without: ['journal.cut'] });
    const [steps, found] = ['worker.step', 'container.found'].map(
      (kind) => left.filter((entry) => entry.kind === kind).length,
    );
    expect([steps! > 150 && steps! < 200, found]).toEqual([true, 50]);
    const { entries, bytes } = cut!.data as { entries: number; bytes: number };
    expect([entries, bytes > entries * 1_000, journal.leftOut('i-1')]).toEqual([400 - steps!, true, bytes]);
    append('worker.step');
    await clock.advance(minute);
    expect(await journal.read({ kind: 'worker.step' })).toHaveLength(steps! + 1);
    expect([await journal.read({ kind: 'journal.cut' }), clock.pending]).toEqual([[cut], 0]);
  });

  it('keeps what others do, and what operators and quarantines are about', async () => {
    const append = (kind: string, instance?: string): void =>
      journal.append({ at: clock.now(), kind, ...(instance && { instance }), because: filler });
    const count = Math.ceil((2 * instanceLimits.journalBytesPerMinute) / filler.length);
    for (let number = 0; number < count; number++) append('container.found', 'i-1');
    const kept: [string, string?][] = [
      ['operator.order', 'i-1'],
      ['instance.quarantined', 'i-1'],
      ['container.found', 'i-2'],
      ['plan.create'],
    ];
    for (const [kind, instance] of kept) append(kind, instance);
    const last = (await journal.read({})).slice(-kept.length);
    expect(last.map(({ kind, instance }) => (instance === undefined ? [kind] : [kind, instance]))).toEqual(
      kept,
    );
  });
});

describe('the journal in the store', () => {
  it('keeps the newest entries within its bytes', { timeout: 60_000 }, async () => {
    await journal.stop();
    journal = open(16 * MiB);
    const entries = 40_000;
    for (let at = 0; at < entries; at++) {
      journal.append({ at, kind: 'test', because: filler });
      if (at % 5_000 === 0) await journal.flush();
    }
    await journal.flush();
    await journal.trim();
    const bytes = await bytesInStore();
    expect([bytes <= 16 * MiB, bytes > 15.5 * MiB]).toEqual([true, true]);
    expect((await journal.read({ limit: 1 }))[0]!.at).toBe(entries - 1);
  });

  it('holds no more than 32 MiB in memory while the store does not take it', async () => {
    const faults: number[] = [];
    await journal.stop();
    journal = new StoreJournal({
      db,
      clock,
      flushMs: 50,
      maxEntries: 1_000_000,
      onFault: (_, dropped) => faults.push(dropped),
    });
    const large = 'x'.repeat(200_000);
    for (let at = 0; at < 200; at++) journal.append({ at, kind: 'test', because: large });
    const { waiting, dropped } = journal.state();
    expect([waiting * large.length <= 32 * MiB, waiting + dropped, faults.length > 0]).toEqual([
      true,
      200,
      true,
    ]);
  });
});
