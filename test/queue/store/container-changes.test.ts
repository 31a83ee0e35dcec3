import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/domain/clock.js';
import { ContainerChanges } from '../../../src/queue/store/container-changes.js';
import { openDatabase } from '../../../src/queue/store/database.js';
import { request, storeOn } from './contract.js';
import type { Store } from '../../../src/queue/store/schema.js';

describe('changes of containers', () => {
  let db: Store;

  beforeEach(async () => {
    db = await openDatabase({ url: ':memory:' });
  });
  afterEach(() => db.destroy());

  it(
    'are carried out whenever they come, also just when those before ended',
    { timeout: 5_000 },
    async () => {
      const store = storeOn(db);
      const uuid = (await store.submit([request]))[0]!.uuid;
      await store.stop();
      const changes = new ContainerChanges({ db, clock: systemClock, writer: 'test', patienceMs: 1_000 });
      for (let gap = 0; gap < 20; gap++) {
        const decide = (): { cwd: string } => ({ cwd: `${gap}` });
        expect(await changes.change({ uuid, decide, epoch: undefined })).toMatchObject({ cwd: `${gap}` });
        for (let tick = 0; tick < gap; tick++) await Promise.resolve();
      }
      await changes.stop();
    },
  );
});
