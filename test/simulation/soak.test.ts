import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { plantedBugs } from '../../scripts/planted-bugs.js';
import { generateFaults } from '../../src/simulation/faults.js';
import { scenarioOf } from '../../src/simulation/scenario.js';
import { SeededRandom } from '../../src/simulation/seeded-random.js';
import { shrinkFaults } from '../../src/simulation/shrink.js';
import { simulate } from '../../src/simulation/simulate.js';

const freshSeeds = Array.from({ length: 2 }, () => randomInt(1, 2 ** 31));

it.each(freshSeeds)(
  'keeps every rule in an hour full of faults, whatever the seed (%i)',
  async (seed) => {
    const { violations, journalHash } = await simulate(scenarioOf(seed, 1));
    console.log(
      `seed ${seed}: journal ${journalHash}; again: scripts/soak --first-seed ${seed} --seeds 1 --hours 1`,
    );
    expect(violations).toEqual([]);
  },
  300_000,
);

/** These show where leaders stand still often: see a test of its own. */
const elsewhere = new Set(['heedless-of-the-lead']);
const usual = Object.keys(plantedBugs).filter((name) => !elsewhere.has(name));

it.each(usual)(
  'finds a mistake that was put in on purpose within 20 seeds (%s)',
  async (name) => {
    for (let seed = 1; seed <= 20; seed++) {
      const { violations } = await simulate({
        ...scenarioOf(seed, 2),
        untilDone: false,
        failFast: true,
        ...plantedBugs[name]!(),
      });
      if (violations.length > 0) return;
    }
    expect.fail(`the mistake "${name}" was not found`);
  },
  300_000,
);

it('shrinks a list of faults to those that are needed', async () => {
  const faults = generateFaults({ hours: 24, perHour: 3 }, new SeededRandom(1));
  const needed = [faults[3]!, faults[40]!];
  const kept = await shrinkFaults(faults, async (some) => needed.every((fault) => some.includes(fault)), 200);
  expect(kept).toEqual(needed);
  expect(await shrinkFaults(faults, async () => true, 200)).toEqual([]);
});
