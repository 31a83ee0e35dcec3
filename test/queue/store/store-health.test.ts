import { describe, expect, it } from 'vitest';
import { StoreHealth } from '../../../src/queue/store/store-health.js';
import { HeapClock } from '../../../src/simulation/heap-clock.js';

const withCode = (code: string): Error => Object.assign(new Error(code), { code });

describe('the health of a store', () => {
  const begin = (isShared: boolean) => {
    const clock = new HeapClock(0);
    const told: string[] = [];
    const health = new StoreHealth({ clock, isShared, onDamage: (text) => told.push(text) });
    return { clock, told, health };
  };

  it('is bad from the first statement that meets damage, is told once, and counts them', () => {
    const { health, told } = begin(false);
    for (const code of ['SQLITE_FULL', 'SQLITE_BUSY', 'SQLITE_CONSTRAINT_UNIQUE', 'ECONNRESET']) {
      health.failed(withCode(code));
    }
    expect(health.fault()).toBeUndefined();
    for (const code of ['SQLITE_CORRUPT', 'SQLITE_CORRUPT_INDEX', 'SQLITE_NOTADB'])
      health.failed(withCode(code));
    expect(health.fault()).toBe(
      'the store is damaged since 1970-01-01T00:00:00.000Z: the file is damaged: restore it from a backup',
    );
    expect([told.length, health.errors]).toEqual([1, 3]);
  });

  it('stays bad for an embedded one, whatever succeeds besides', async () => {
    const { clock, health } = begin(false);
    health.failed(withCode('SQLITE_CORRUPT'));
    clock.setTimeout(() => {}, 3_600_000);
    await clock.advance(3_600_000);
    expect(health.fault()).toContain('since 1970-01-01T00:00:00.000Z');
  });

  it('is good again for a server whose damage was not met for a while, and told anew when it is', async () => {
    const { clock, health, told } = begin(true);
    health.failed(withCode('XX001'));
    expect(health.fault()).toContain('the server found its data damaged: see the log of the server');
    clock.setTimeout(() => {}, 301_000);
    await clock.advance(301_000);
    expect(health.fault()).toBeUndefined();
    health.failed(withCode('XX002'));
    expect([health.fault(), told.length]).toEqual([expect.stringContaining('use REINDEX'), 2]);
  });
});
