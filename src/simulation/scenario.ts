import { parseConfig } from '../config/load.js';
import type { Config } from '../config/config.js';
import { drawSettings, settingsText } from './drawn-settings.js';
import { generateFaults } from './faults.js';
import { SeededRandom } from './seeded-random.js';
import type { SimulateOptions } from './simulate.js';
import { burst, merged, varied, type Variety } from './varied-work.js';
import { generateWorkload, type Workload, type WorkSize } from './workload.js';
import type { WorldSettings } from './world-settings.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** More than so many an hour, for each instance there may be, would pile up for days. */
const mostPerHourAndInstance = 3;

const sizes: readonly WorkSize[] = [
  { weight: 5, vcpus: 1, ramBytes: 2 ** 30, durationMs: 4 * minuteMs, durationSpread: 1 },
  { weight: 2, vcpus: 4, ramBytes: 2 ** 32, durationMs: 15 * minuteMs, durationSpread: 1 },
  { weight: 2, vcpus: 2, ramBytes: 2 ** 30, durationMs: 8 * minuteMs, durationSpread: 1, preemptible: true },
  { weight: 0.2, vcpus: 64, ramBytes: 2 ** 40, durationMs: minuteMs, durationSpread: 0 },
];
/** Fits one type only. */
const rareSize: WorkSize = {
  weight: 0.5,
  vcpus: 16,
  ramBytes: 2 ** 30,
  durationMs: 5 * minuteMs,
  durationSpread: 0.5,
};

/**
 * A fleet whose provider gives fewer instances than its configuration would have, asked for by many create calls at
 * once, and whose instances go soon: so it meets the quota again and again.
 */
const crowdedSettings: ReadonlyMap<string, string> = new Map([
  ['pool.maxInstances', '0'],
  ['pool.maxConcurrentCreates', '0'],
  ['pool.maxContainersPerInstance', '2'],
  ['pool.quotaRetry', '1h'],
]);
const crowdedShare = 0.25;
const mostWaves = 6;

/**
 * In some runs daemons die, and commands and answers are lost, one after the other, while nearly all containers fail and
 * are tried again: so results of earlier attempts stay about.
 */
const losses = {
  perHour: 20,
  kinds: ['daemon-crash', 'lost-answers', 'lost-commands', 'lost-commands'],
} as const;
const lossyShare = 0.12;
const lossyHours = 2;

/** A whole run that a seed stands for: fleet, settings, containers and faults, all drawn from it. */
export function scenarioOf(seed: number, hours: number): SimulateOptions {
  const random = new SeededRandom(seed).fork('scenario');
  if (random.fork('losses').chance(lossyShare))
    return { ...lossyOf(hours, random.fork('lossy')), seed, hours };
  const isCrowded = random.fork('crowd').chance(crowdedShare);
  const config = configOf(random.fork('settings'), isCrowded);
  const crowd = isCrowded ? crowdOf(random.fork('quota')) : undefined;
  const world = { ...worldOf(random.fork('world')), ...crowd };
  const parts = [workloadOf(config, world, hours, random.fork('work'))];
  if (crowd) parts.push(...wavesOf(crowd.quota, hours, random.fork('waves')));
  return {
    config,
    workload: merged(...parts),
    seed,
    hours,
    world,
    faults: generateFaults({ hours, perHour: random.between(0.5, 5) }, random.fork('faults')),
    untilDone: true,
  };
}

function lossyOf(mostHours: number, random: SeededRandom) {
  const hours = Math.min(mostHours, lossyHours);
  const size = { weight: 1, vcpus: 1, ramBytes: 2 ** 30, durationMs: minuteMs, durationSpread: 0.5 };
  const shape = { hours, perHour: 60, batch: 5, sizes: [size], failingShare: 0.8, maxAttempts: 5 };
  const alike = { supervisors: 0, limited: 0, fallingBack: 0, paused: 0, roundPriorities: 0 };
  return {
    config: parse(new Map([['pool.maxInstances', '12']])),
    workload: varied(generateWorkload(shape, random.fork('work')), { retried: 1, ...alike }, random),
    faults: generateFaults({ hours, ...losses }, random.fork('faults')),
    untilDone: true,
  };
}

function crowdOf(random: SeededRandom) {
  return { quota: random.whole(3, 6), createSpreadMs: random.pick([10_000, 25_000]), groupQuotas: {} };
}

/** Now and then more containers come at once than there may be instances. */
function wavesOf(quota: number, hours: number, random: SeededRandom): Workload[] {
  const count = Math.min(mostWaves, Math.ceil(2 * hours));
  return Array.from({ length: count }, () => {
    const atMs = random.between(0, hours * hourMs);
    return burst(quota * random.whole(3, 4), atMs, random);
  });
}

function workloadOf(
  config: Config,
  { quota, groupQuotas }: Pick<WorldSettings, 'quota' | 'groupQuotas'>,
  hours: number,
  random: SeededRandom,
): Workload {
  const most = Math.min(
    config.pool.maxInstances || Infinity,
    quota || Infinity,
    ...Object.values(groupQuotas).map((each) => 3 * each),
  );
  const shape = {
    hours,
    perHour: Math.min(random.whole(3, 20), most * mostPerHourAndInstance),
    batch: random.pick([1, 1, 3, 10]),
    sizes: [...sizes, ...(config.instanceTypes.has('rare') ? [rareSize] : [])],
    failingShare: 0.1,
    maxAttempts: random.whole(1, 5),
  };
  const parts = [generateWorkload(shape, random.fork('steady'))];
  const bursts = random.pick([0, 0, 0, 0, 1, 1, 2]);
  for (let each = 0; each < bursts; each++) {
    const count = Math.round(Math.min(random.whole(100, 250), 40 * most, 60 * hours));
    parts.push(burst(count, random.between(0, hours * hourMs), random));
  }
  return varied(merged(...parts), varietyOf(random), random.fork('variety'));
}

function varietyOf(random: SeededRandom): Variety {
  return {
    retried: random.pick([0, 0.2, 0.8]),
    supervisors: random.pick([0, 0, 0.1, 0.4]),
    limited: random.pick([0, 0.1]),
    fallingBack: random.pick([0, 0.5]),
    paused: random.pick([0, 0.03]),
    roundPriorities: random.pick([0, 1]),
  };
}

function worldOf(random: SeededRandom) {
  return {
    commandLatencyMs: random.pick([5, 50, 400]),
    listLagMs: random.pick([0, 1_000, 5_000]),
    crashShare: random.pick([0, 0, 0.02]),
    bootMs: random.pick([5_000, 35_000, 90_000]),
    bootSpread: random.pick([0, 0.3, 1]),
    createDelayMs: random.pick([0, 1_500, 10_000]),
    createSpreadMs: random.pick([0, 5_000, 25_000]),
    quota: random.pick([0, 0, 3, 8]),
    groupQuotas: random.pick<Record<string, number>>([
      {},
      {},
      { s: 3, l: 2, 's-p': 2 },
      { s: 1 },
      { 's-p': 1 },
    ]),
    capacity: random.pick<Record<string, number>>([{}, { rare: 0 }, { rare: 1 }, { small: 2, rare: 0 }]),
    capacityScope: 'type' as const,
    interruptionsPerHour: random.pick([0, 0.2, 1]),
  };
}

/** Half of all fleets have a few settings of their own, the others all that there are. */
function configOf(random: SeededRandom, isCrowded: boolean): Config {
  const share = random.pick([0.3, 1]);
  const isRareKnown = random.chance(0.4);
  const settings = new Map([...drawSettings(share, random), ...(isCrowded ? crowdedSettings : [])]);
  return parse(settings, isRareKnown);
}

function parse(settings: ReadonlyMap<string, string>, isRareKnown = false): Config {
  const rare = '  rare: { vcpus: 32, ram: 64GiB, includedScratch: 40GiB, price: 2 }\n';
  const text = `clusterId: simul
instanceTypes:
  small: { vcpus: 2, ram: 4GiB, includedScratch: 10GiB, price: 0.1 }
  large: { vcpus: 8, ram: 16GiB, includedScratch: 40GiB, price: 0.4 }
  spot: { vcpus: 2, ram: 4GiB, includedScratch: 10GiB, price: 0.03, preemptible: true }
${isRareKnown ? rare : ''}${settingsText(settings)}`;
  return parseConfig(text, { path: '/simulated.yaml', env: {}, secrets: [] });
}
