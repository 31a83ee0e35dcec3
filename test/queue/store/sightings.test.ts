import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sighting } from '../../../src/domain/sighting.js';
import { openDatabase } from '../../../src/queue/store/database.js';
import { StoredSightings } from '../../../src/queue/store/stored-sightings.js';
import { HeapClock } from '../../../src/simulation/heap-clock.js';
import type { Store } from '../../../src/queue/store/schema.js';

const day = 86_400_000;
const startAt = 1_700_000_000_000;

describe('what is remembered of instances', () => {
  let folder: string;
  let db: Store;
  let faults: unknown[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longshore-sightings-'));
    db = await openDatabase({ url: join(folder, 'longshore.db') });
    faults = [];
  });
  afterEach(async () => {
    await db.destroy();
    await rm(folder, { recursive: true, force: true });
  });

  const sighting = (instanceId: string, firstSeenAt: number): Sighting => {
    return { instanceId, firstSeenAt, instanceTypeName: 'small', pricePerHour: 0.1 };
  };
  const daemon = (now: number): StoredSightings =>
    new StoredSightings({ db, clock: new HeapClock(now), onFault: (error) => faults.push(error) });

  it('survives the daemon, and goes with the instance', async () => {
    const first = daemon(startAt);
    for (let n = 0; n < 500; n++) first.seen(sighting(`i-${n}`, startAt + n));
    first.gone('i-7');
    await first.stop();
    const second = daemon(startAt + day);
    const known = await second.load();
    expect([known.size, known.get('i-3'), known.get('i-7')]).toEqual([
      499,
      sighting('i-3', startAt + 3),
      undefined,
    ]);
    second.seen(known.get('i-3')!);
    second.gone('i-4');
    await second.stop();
    const third = await daemon(startAt + 2 * day).load();
    expect([third.size, third.get('i-3')]).toEqual([498, sighting('i-3', startAt + 3)]);
    expect(faults).toEqual([]);
  });

  it('is trimmed of what no daemon looked after for a month', async () => {
    const first = daemon(startAt);
    first.seen(sighting('left', startAt));
    first.seen(sighting('there', startAt));
    await first.stop();
    const later = daemon(startAt + 31 * day);
    const known = await later.load();
    later.seen(known.get('there')!);
    await later.stop();
    expect([...(await daemon(startAt + 31 * day).load()).keys()]).toEqual(['there']);
  });

  it('is told of when the store does not take it, and goes on', async () => {
    const first = daemon(startAt);
    await db.schema.dropTable('sightings').execute();
    first.seen(sighting('i-1', startAt));
    await first.stop();
    expect(faults).toHaveLength(1);
  });
});
