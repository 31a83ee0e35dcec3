import { expect, it } from 'vitest';
import { plantedBugs } from '../../scripts/planted-bugs.js';
import type { Config } from '../../src/config/config.js';
import { parseConfig } from '../../src/config/load.js';
import { simulate, type SimulateOptions } from '../../src/simulation/simulate.js';
import { noConstraints } from '../../src/domain/container.js';
import { generateWorkload, plainRequest } from '../../src/simulation/workload.js';
import { SeededRandom } from '../../src/simulation/seeded-random.js';

const largeType = '  large: { vcpus: 8, ram: 16GiB, includedScratch: 40GiB, price: 0.4 }\n';
const configOf = (pool: string, scheduler = '', large = ''): Config =>
  parseConfig(
    `clusterId: simul
instanceTypes:
  small: { vcpus: 2, ram: 4GiB, includedScratch: 10GiB, price: 0.1 }
${large}pool: { bootProbeCommand: 'true', maxInstances: 0, ${pool} }
scheduler: { reserveExtraRam: 0, localKeepBlobBuffersPerVcpu: 0, maxDispatchAttempts: 0${scheduler} }
`,
    { path: '/simulated.yaml', env: {} },
  );
const config = configOf('maxConcurrentCreates: 0, quotaRetry: 1h, maxContainersPerInstance: 2');

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

it('accepts the wait for the container limit behind containers that wait for the pause after failed boots', async () => {
  const pool = 'timeoutBooting: 3m, bootFailureLimit: 2, bootFailureHoldOff: 10m';
  const workload = [2, 8, 2, 8].map((vcpus, index) => ({
    atMs: 1_000,
    durationMs: 60_000,
    exitCode: 0,
    request: {
      ...plainRequest,
      constraints: { ...noConstraints, vcpus },
      priority: BigInt(10 - index),
    },
  }));
  const { violations } = await simulate({
    config: configOf(pool, ', initialQuotaEstimate: 2', largeType),
    workload,
    seed: 1,
    hours: 0.5,
    world: { deadBootShare: 1 },
  });
  expect(violations).toEqual([]);
}, 120_000);
