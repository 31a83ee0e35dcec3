import { expect, it } from 'vitest';
import type { JournalEntry } from '../../src/journal/journal.js';
import { parseConfig } from '../../src/config/load.js';
import { generateFaults } from '../../src/simulation/faults.js';
import { SeededRandom } from '../../src/simulation/seeded-random.js';
import { simulate } from '../../src/simulation/simulate.js';
import { generateWorkload } from '../../src/simulation/workload.js';

const config = parseConfig(
  `clusterId: simul
instanceTypes:
  small: { vcpus: 4, ram: 8GiB, includedScratch: 10GiB, price: 0.1 }
  spot: { vcpus: 4, ram: 8GiB, includedScratch: 10GiB, price: 0.03, preemptible: true }
pool: { bootProbeCommand: 'true', maxInstances: 24, maxConcurrentCreates: 8, probeInterval: 1m, timeoutIdle: 30s }
scheduler: { localKeepBlobBuffersPerVcpu: 0 }
`,
  { path: '/simulated.yaml', env: {} },
);

/** What says nothing: the words that stand where nobody gave a reason. */
const emptyCauses = /^(|default|undefined|null|xstate\..*|no reason was recorded)$/;

function isTransition({ kind }: JournalEntry): boolean {
  return kind === 'worker.transition' || kind === 'worker.behavior';
}

it(
  'gives a cause for every transition while 2,000 containers run among faults',
  { timeout: 300_000 },
  async () => {
    const hours = 2;
    const seed = 22;
    const random = new SeededRandom(seed);
    const shape = {
      hours,
      perHour: 1_000,
      batch: 5,
      sizes: [
        { weight: 3, vcpus: 1, ramBytes: 2 ** 30, durationMs: 60_000, durationSpread: 0.7 },
        { weight: 1, vcpus: 1, ramBytes: 2 ** 30, durationMs: 60_000, durationSpread: 1, preemptible: true },
      ],
      failingShare: 0.05,
    };
    const generated = generateWorkload(shape, random.fork('work'));
    const workload = generated.slice(0, 2_000);
    const transitions: JournalEntry[] = [];
    const { containers, violations } = await simulate({
      config,
      workload,
      seed,
      hours,
      faults: generateFaults({ hours, perHour: 6 }, random.fork('faults')),
      untilDone: true,
      onEntry: (entry) => void (isTransition(entry) && transitions.push(entry)),
    });
    expect(workload).toHaveLength(2_000);
    expect(containers).toHaveLength(2_000);
    // The other rules are the soak's.
    expect(violations.filter(({ rule }) => rule === 'cause-is-given')).toEqual([]);
    expect(transitions.length).toBeGreaterThan(1_000);
    const unexplained = transitions.filter(
      ({ because = '', event = '', data }) =>
        emptyCauses.test(because) || event === '' || data?.['guards'] === undefined,
    );
    expect(unexplained).toEqual([]);
  },
);
