import { expect, it } from 'vitest';
import { plantedBugs } from '../../scripts/planted-bugs.js';
import { generateFaults } from '../../src/simulation/faults.js';
import { SeededRandom } from '../../src/simulation/seeded-random.js';
import { simulate, type SimulateOptions } from '../../src/simulation/simulate.js';
import { varied } from '../../src/simulation/varied-work.js';
import { generateWorkload } from '../../src/simulation/workload.js';
import { fleetConfig } from '../support/simulated-fleet.js';

/** Containers that are tried again while daemons die, and commands and answers are lost: results of earlier attempts stay about. */
function tried(seed: number): SimulateOptions {
  const hours = 2;
  const random = new SeededRandom(seed);
  const size = { weight: 1, vcpus: 1, ramBytes: 2 ** 30, durationMs: 60_000, durationSpread: 0.5 };
  const shape = { hours, perHour: 60, batch: 5, sizes: [size], failingShare: 0.8, maxAttempts: 5 };
  const variety = { retried: 1, supervisors: 0, limited: 0, fallingBack: 0, paused: 0, roundPriorities: 0 };
  const workload = varied(generateWorkload(shape, random.fork('work')), variety, random.fork('variety'));
  const kinds = ['daemon-crash', 'lost-answers', 'lost-commands', 'lost-commands'] as const;
  const faults = generateFaults({ hours, perHour: 20, kinds }, random.fork('faults'));
  return { config: fleetConfig, workload, seed, hours, faults, untilDone: true };
}

it('takes no result of an earlier attempt for that of the one under way, whatever is lost between (seed 1)', async () => {
  const { violations, containers } = await simulate(tried(1));
  expect(violations).toEqual([]);
  expect(containers.filter(({ runs }) => runs.length > 1).length).toBeGreaterThan(10);
}, 120_000);

it('finds a store that takes the result of an earlier attempt, within 20 seeds', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const options = { ...tried(seed), ...plantedBugs['stale-result']!() };
    const { violations } = await simulate({ ...options, untilDone: false, failFast: true });
    if (violations.some(({ rule }) => rule === 'only what ran is complete')) return;
  }
  expect.fail('nothing was found');
}, 300_000);
