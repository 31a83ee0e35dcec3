import { expect, it } from 'vitest';
import { plantedBugs } from '../../scripts/planted-bugs.js';
import { parseConfig } from '../../src/config/load.js';
import { simulate, type SimulateOptions } from '../../src/simulation/simulate.js';
import { generateWorkload } from '../../src/simulation/workload.js';
import { SeededRandom } from '../../src/simulation/seeded-random.js';

const config = parseConfig(
  `clusterId: simul
instanceTypes:
  small: { vcpus: 2, ram: 4GiB, includedScratch: 10GiB, price: 0.1 }
pool: { bootProbeCommand: 'true', maxInstances: 0, maxConcurrentCreates: 0, quotaRetry: 1h, maxContainersPerInstance: 2 }
scheduler: { reserveExtraRam: 0, localKeepBlobBuffersPerVcpu: 0, maxDispatchAttempts: 0 }
`,
  { path: '/simulated.yaml', env: {} },
);

/** A provider that gives fewer instances than the daemon would have, and answers in any order. */
function crowded(seed: number): SimulateOptions {
  const hours = 2;
  const size = { weight: 1, vcpus: 2, ramBytes: 2 ** 30, durationMs: 240_000, durationSpread: 0.7 };
  const workload = generateWorkload(
    { hours, perHour: 60, batch: 15, sizes: [size] },
    new SeededRandom(seed).fork('work'),
  );
  return { config, workload, seed, hours, world: { quota: 5, createSpreadMs: 20_000 }, untilDone: true };
}

it('grows again as soon as there is room, however late the answers to create calls come (L-12..L-14)', async () => {
  const { violations, containers, instances } = await simulate(crowded(5));
  expect(violations).toEqual([]);
  expect(containers.every(({ state }) => state === 'Complete')).toBe(true);
  expect(instances.length).toBeGreaterThan(20);
}, 120_000);

it('finds by the rule of liveness that a late create call keeps the fleet from growing (seed 5)', async () => {
  const { violations } = await simulate({
    ...crowded(5),
    ...plantedBugs['late-create']!(),
    untilDone: false,
    failFast: true,
  });
  expect(violations.map(({ rule }) => rule)).toEqual(['no wait outlasts its hold']);
  expect(violations[0]!.what).toMatch(/^it waits \(cloud-limit\) and no instance was asked for in \d+ s/);
}, 120_000);
