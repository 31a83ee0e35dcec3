import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import type { JournalEntry } from '../../src/journal/journal.js';
import { generateFaults } from '../../src/simulation/faults.js';
import { scenarioOf } from '../../src/simulation/scenario.js';
import { SeededRandom } from '../../src/simulation/seeded-random.js';
import { simulate } from '../../src/simulation/simulate.js';
import { fleetConfig, mixedWork } from '../support/simulated-fleet.js';

it.each([3, 22, 639_633_342, randomInt(1, 2 ** 31)])(
  'writes the same journal whether visits that find nothing new are made or passed over (seed %i)',
  async (seed) => {
    const entries: string[] = [];
    const onEntry = (entry: JournalEntry): void => void entries.push(JSON.stringify(entry));
    const short = await simulate({ ...scenarioOf(seed, 1), onEntry });
    const passedOver = entries.splice(0);
    const whole = await simulate({ ...scenarioOf(seed, 1), onEntry, everyVisit: true });
    expect(passedOver).toEqual(entries);
    expect(short.journalHash).toBe(whole.journalHash);
    expect(short.containers).toEqual(whole.containers);
  },
  300_000,
);

it('passes over the visits of a fleet that runs undisturbed', async () => {
  const options = {
    ...scenarioOf(3, 1),
    workload: mixedWork(3, 1, 20),
    config: fleetConfig,
    world: {},
    faults: [],
  };
  const { passedOver } = await simulate(options);
  expect(passedOver).toBeGreaterThan(300);
}, 120_000);

it('notices by their silence that watches are dead, where they beat', async () => {
  const closed: string[] = [];
  const onEntry = (entry: JournalEntry): void => {
    if (entry.kind === 'worker.step' && entry.event === 'watch.closed') closed.push(JSON.stringify(entry));
  };
  const { violations } = await simulate({
    ...scenarioOf(3, 1),
    workload: mixedWork(3, 1, 20),
    config: fleetConfig,
    world: {},
    faults: generateFaults({ hours: 1, perHour: 20, kinds: ['silence'] }, new SeededRandom(3)),
    onEntry,
    beats: true,
    everyVisit: true,
  });
  expect(violations).toEqual([]);
  expect(closed.some((entry) => entry.includes('nothing was heard for 45000 ms'))).toBe(true);
}, 120_000);
