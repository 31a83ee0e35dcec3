import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { plantedBugs } from '../../scripts/planted-bugs.js';
import { generateFaults } from '../../src/simulation/faults.js';
import { scenarioOf } from '../../src/simulation/scenario.js';
import { SeededRandom } from '../../src/simulation/seeded-random.js';
import type { SimulateOptions } from '../../src/simulation/simulate.js';
import { simulate } from '../../src/simulation/simulate.js';

/** A leader that stands still every few minutes, while machines are lost as well. */
function restless(seed: number): SimulateOptions {
  const hours = 3;
  const kinds = ['daemon-pause', 'daemon-pause', 'daemon-pause', 'vanish', 'operator-kill'] as const;
  const faults = generateFaults({ hours, perHour: 30, kinds }, new SeededRandom(seed).fork('faults'));
  return { ...scenarioOf(seed, hours), faults };
}

const seed = randomInt(1, 2 ** 31);

it(`takes the lead over from one that stands still, and neither loses nor runs anything twice (seed ${seed})`, async () => {
  const { violations, daemons, containers } = await simulate(restless(seed));
  expect(violations).toEqual([]);
  expect(daemons).toBeGreaterThan(10);
  expect(containers.every(({ finishedAtMs }) => finishedAtMs !== undefined)).toBe(true);
}, 300_000);

it('finds a leader that goes on giving orders, within 20 seeds', async () => {
  for (let planted = 1; planted <= 20; planted++) {
    const options = { ...restless(planted), ...plantedBugs['heedless-of-the-lead']!() };
    const { violations } = await simulate({ ...options, untilDone: false, failFast: true });
    if (violations.some(({ rule }) => rule === 'only the leader gives orders')) return;
  }
  expect.fail('nothing was found');
}, 300_000);
