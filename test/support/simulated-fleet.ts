import { parseConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/config.js';
import { generateFaults } from '../../src/simulation/faults.js';
import { SeededRandom } from '../../src/simulation/seeded-random.js';
import { simulate, type SimulateOptions, type SimulationResult } from '../../src/simulation/simulate.js';
import { generateWorkload, type Workload } from '../../src/simulation/workload.js';

/** A small fleet of three types, two of them alike but for the price. */
export const fleetConfig: Config = parseConfig(
  `clusterId: simul
instanceTypes:
  small: { vcpus: 2, ram: 4GiB, includedScratch: 10GiB, price: 0.1 }
  large: { vcpus: 8, ram: 16GiB, includedScratch: 40GiB, price: 0.4 }
  spot: { vcpus: 2, ram: 4GiB, includedScratch: 10GiB, price: 0.03, preemptible: true }
pool: { bootProbeCommand: 'true', maxInstances: 12, maxConcurrentCreates: 4 }
scheduler: { localKeepBlobBuffersPerVcpu: 0 }
`,
  { path: '/simulated.yaml', env: {} },
);

/** A mix of short and long, small and large containers. */
export function mixedWork(seed: number, hours: number, perHour: number): Workload {
  const minute = 60_000;
  return generateWorkload(
    {
      hours,
      perHour,
      sizes: [
        { weight: 5, vcpus: 1, ramBytes: 2 ** 30, durationMs: 4 * minute, durationSpread: 1 },
        { weight: 2, vcpus: 4, ramBytes: 2 ** 32, durationMs: 15 * minute, durationSpread: 1 },
        {
          weight: 2,
          vcpus: 2,
          ramBytes: 2 ** 30,
          durationMs: 8 * minute,
          durationSpread: 1,
          preemptible: true,
        },
      ],
      failingShare: 0.1,
    },
    new SeededRandom(seed).fork('work'),
  );
}

/** Hours of that fleet with as many faults. */
export function simulateFleet(
  seed: number,
  {
    hours = 2,
    perHour = 20,
    faultsPerHour = 0,
    ...rest
  }: Partial<SimulateOptions> & {
    perHour?: number;
    faultsPerHour?: number;
  } = {},
): Promise<SimulationResult> {
  const faults = generateFaults({ hours, perHour: faultsPerHour }, new SeededRandom(seed).fork('faults'));
  const workload = mixedWork(seed, hours, perHour);
  return simulate({ config: fleetConfig, workload, seed, hours, faults, untilDone: true, ...rest });
}
