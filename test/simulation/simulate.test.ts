import { expect, it, vi } from 'vitest';
import type { JournalEntry } from '../../src/journal/journal.js';
import { simulateFleet } from '../support/simulated-fleet.js';

vi.setConfig({ testTimeout: 180_000 });

it('finishes every container once and leaves no instance behind when nothing goes wrong', async () => {
  const { containers, instances, violations } = await simulateFleet(1);
  expect(violations).toEqual([]);
  expect(containers.length).toBeGreaterThan(20);
  for (const { state, runs } of containers) {
    expect([state, runs.length]).toEqual(['Complete', 1]);
  }
  expect(instances.length).toBeGreaterThan(3);
  expect(instances.filter(({ endedAtMs }) => endedAtMs === undefined)).toEqual([]);
});

it('writes the same journal for the same seed, and another one for another seed', async () => {
  const journal: string[] = [];
  const onEntry = (entry: JournalEntry): void => void journal.push(JSON.stringify(entry));
  const first = await simulateFleet(7, { hours: 0.5, faultsPerHour: 12, untilDone: false, onEntry });
  const kept = journal.splice(0).join('\n');
  const again = await simulateFleet(7, { hours: 0.5, faultsPerHour: 12, untilDone: false, onEntry });
  expect(journal.join('\n')).toBe(kept);
  expect(again.journalHash).toBe(first.journalHash);
  const other = await simulateFleet(8, { hours: 0.5, faultsPerHour: 12, untilDone: false });
  expect(other.journalHash).not.toBe(first.journalHash);
});

it('tells how far it is, and ends when its caller gives up', async () => {
  const told: number[] = [];
  const abort = new AbortController();
  const run = simulateFleet(2, {
    hours: 50,
    perHour: 2,
    onProgress: ({ elapsedMs, untilMs }) => {
      told.push(elapsedMs / untilMs);
      if (told.length === 3) abort.abort(new Error('enough'));
    },
    signal: abort.signal,
  });
  await expect(run).rejects.toThrow('enough');
  expect(told).toHaveLength(3);
});
