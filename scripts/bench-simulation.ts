// scripts/bench simulation: how long simulated fleets take. Each in a process of its own, so that memory tells.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../src/config/load.js';
import { SeededRandom } from '../src/simulation/seeded-random.js';
import { simulate } from '../src/simulation/simulate.js';
import { generateWorkload, plainRequest, type Workload } from '../src/simulation/workload.js';

interface Fleet {
  name: string;
  workers: number;
  hours: number;
  probeInterval: string;
  goalMs: number;
}

const fleets: readonly Fleet[] = [
  { name: '20 workers x 24 h', workers: 20, hours: 24, probeInterval: '10s', goalMs: 6_000 },
  { name: '1,000 workers x 24 h', workers: 1_000, hours: 24, probeInterval: '1m', goalMs: 60_000 },
  { name: '10,000 workers x 1 h', workers: 10_000, hours: 1, probeInterval: '1m', goalMs: 60_000 },
];
const goalBytes = 2 ** 30;

/** Every instance runs one container after the other from beginning to end, each for about six hours. */
function workOf({ workers, hours }: Fleet): Workload {
  const half = generateWorkload(
    {
      hours,
      perHour: workers / 6,
      sizes: [{ weight: 1, vcpus: 2, ramBytes: 2 ** 30, durationMs: 6 * 3_600_000, durationSpread: 0.3 }],
    },
    new SeededRandom(1),
  );
  const first = Array.from({ length: workers }, (_, index) => ({
    atMs: 0,
    durationMs: Math.round((6 * 3_600_000 * (index + 1)) / workers) + 600_000,
    exitCode: 0,
    request: { ...plainRequest, constraints: { ...plainRequest.constraints, vcpus: 2, ramBytes: 2 ** 30 } },
  }));
  return [...first, ...half];
}

async function measure(fleet: Fleet): Promise<void> {
  const { name, workers, hours, probeInterval, goalMs } = fleet;
  const config = parseConfig(
    `clusterId: simul
instanceTypes:
  small: { vcpus: 2, ram: 4GiB, includedScratch: 10GiB, price: 0.1 }
pool:
  bootProbeCommand: 'true'
  maxInstances: ${workers}
  probeInterval: ${probeInterval}
  timeoutIdle: 10m
scheduler: { localKeepBlobBuffersPerVcpu: 0 }
`,
    { path: '/simulated.yaml', env: {} },
  );
  const world = { apiPerSecond: 0 };
  const result = await simulate({ config, workload: workOf(fleet), seed: 1, hours, world });
  const { user, system } = process.cpuUsage();
  const workerHours = result.instances.reduce(
    (sum, { createdAtMs, endedAtMs = hours * 3_600_000 }) => sum + (endedAtMs - createdAtMs) / 3_600_000,
    0,
  );
  const figures = {
    scenario: `simulation of ${name}, ms`,
    ms: Math.round(result.wallMs),
    goal: goalMs,
    ratio: Number((result.wallMs / goalMs).toFixed(2)),
    cpuMs: Math.round((user + system) / 1_000),
    workerHours: Math.round(workerHours),
    containers: result.containers.filter(({ state }) => state === 'Complete').length,
    megabytes: Math.round(process.resourceUsage().maxRSS / 1_024),
    goalMegabytes: goalBytes / 2 ** 20,
    violations: result.violations.length,
  };
  console.log(JSON.stringify(figures));
}

const chosen = fleets[Number(process.argv[2] ?? NaN)];
if (chosen) await measure(chosen);
else {
  for (const index of fleets.keys()) {
    execFileSync(process.execPath, [fileURLToPath(import.meta.url), String(index)], { stdio: 'inherit' });
  }
}
