import { parseConfig } from '../config/load.js';
import type { Config } from '../config/config.js';
import { generateFaults } from './faults.js';
import { SeededRandom } from './seeded-random.js';
import type { SimulateOptions } from './simulate.js';
import { generateWorkload, type WorkSize } from './workload.js';

const minuteMs = 60_000;

/** More than so many an hour, for each instance there may be, would pile up for days. */
const mostPerHourAndInstance = 3;

const sizes: readonly WorkSize[] = [
  { weight: 5, vcpus: 1, ramBytes: 2 ** 30, durationMs: 4 * minuteMs, durationSpread: 1 },
  { weight: 2, vcpus: 4, ramBytes: 2 ** 32, durationMs: 15 * minuteMs, durationSpread: 1 },
  { weight: 2, vcpus: 2, ramBytes: 2 ** 30, durationMs: 8 * minuteMs, durationSpread: 1, preemptible: true },
  { weight: 0.2, vcpus: 64, ramBytes: 2 ** 40, durationMs: minuteMs, durationSpread: 0 },
];

/** A whole run that a seed stands for: fleet, settings, containers and faults, all drawn from it. */
export function scenarioOf(seed: number, hours: number): SimulateOptions {
  const random = new SeededRandom(seed).fork('scenario');
  const wished = random.whole(3, 20);
  const batch = random.pick([1, 1, 3, 10]);
  const maxAttempts = random.whole(1, 5);
  const config = configOf(random);
  const world = worldOf(random);
  const most = Math.min(config.pool.maxInstances || Infinity, world.quota || Infinity);
  const perHour = Math.min(wished, most * mostPerHourAndInstance);
  return {
    config,
    workload: generateWorkload(
      { hours, perHour, batch, sizes, failingShare: 0.1, maxAttempts },
      random.fork('work'),
    ),
    seed,
    hours,
    world,
    faults: generateFaults({ hours, perHour: random.between(0.5, 5) }, random.fork('faults')),
    untilDone: true,
  };
}

function worldOf(random: SeededRandom) {
  return {
    commandLatencyMs: random.pick([5, 50, 400]),
    listLagMs: random.pick([0, 1_000, 5_000]),
    crashShare: random.pick([0, 0, 0.02]),
    bootMs: random.pick([5_000, 35_000, 90_000]),
    bootSpread: random.pick([0, 0.3, 1]),
    quota: random.pick([0, 0, 3, 8]),
    interruptionsPerHour: random.pick([0, 0.2, 1]),
  };
}

function configOf(random: SeededRandom): Config {
  const { pick } = { pick: <T>(choices: readonly T[]): T => random.pick(choices) };
  const text = `clusterId: simul
instanceTypes:
  small: { vcpus: 2, ram: 4GiB, includedScratch: 10GiB, price: 0.1 }
  large: { vcpus: 8, ram: 16GiB, includedScratch: 40GiB, price: 0.4 }
  spot: { vcpus: 2, ram: 4GiB, includedScratch: 10GiB, price: 0.03, preemptible: true }
pool:
  bootProbeCommand: ${pick([`'true'`, 'systemctl is-system-running'])}
  maxInstances: ${pick([0, 2, 5, 12])}
  maxConcurrentCreates: ${pick([0, 1, 4])}
  maxCloudOpsPerSecond: ${pick([0, 2, 10])}
  probeInterval: ${pick(['5s', '10s', '30s'])}
  syncInterval: ${pick(['20s', '1m', '3m'])}
  timeoutIdle: ${pick(['20s', '1m', '10m'])}
  timeoutBooting: ${pick(['3m', '10m'])}
  timeoutProbe: ${pick(['2m', '10m'])}
  timeoutTerm: ${pick(['20s', '2m'])}
scheduler:
  localKeepBlobBuffersPerVcpu: 0
  maxRunningContainersPerInstance: ${pick([0, 1, 2])}
  pollInterval: ${pick(['2s', '10s'])}
`;
  return parseConfig(text, { path: '/simulated.yaml', env: {}, secrets: [] });
}
