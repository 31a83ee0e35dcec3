import { noConstraints } from '../domain/container.js';
import type { SeededRandom } from './seeded-random.js';
import { plainRequest, type WorkItem, type Workload } from './workload.js';

const minuteMs = 60_000;

/** How containers of a workload differ in what their owners ask beside their size. Shares from 0 to 1. */
export interface Variety {
  /** With a retry policy. */
  retried: number;
  /** That supervise others. */
  supervisors: number;
  /** With a time limit, which some of them reach. */
  limited: number;
  /** Of the preemptible ones: may fall back to on-demand instances, or say that they must not. */
  fallingBack: number;
  /** Asked for with priority 0; their owners release them later. */
  paused: number;
  /** With one of few priorities, 0 to 3, as owners choose them. */
  roundPriorities: number;
}

/** The same containers, some of them asked for otherwise. */
export function varied(work: Workload, variety: Variety, random: SeededRandom): Workload {
  return work.map((item) => ({ ...item, request: { ...item.request, ...asked(item, variety, random) } }));
}

function asked(
  { durationMs, request }: WorkItem,
  { retried, supervisors, limited, fallingBack, paused, roundPriorities }: Variety,
  random: SeededRandom,
) {
  const scheduling = { ...request.scheduling };
  if (random.chance(retried)) {
    const exitCodes = random.pick(['any', [1, 2, 3, 75], Array.from({ length: 128 }, (_, code) => code + 1)]);
    scheduling.retry = {
      exitCodes: exitCodes as 'any' | number[],
      delayMs: random.pick([0, 5_000, 5 * minuteMs]),
    };
  }
  if (random.chance(supervisors)) scheduling.supervisor = true;
  if (random.chance(limited))
    scheduling.maxRunTimeMs = Math.max(1_000, Math.round(durationMs * random.between(0.5, 4)));
  if (scheduling.preemptible && random.chance(fallingBack))
    scheduling.onDemandFallback = random.pick([true, true, false]);
  let { priority } = request;
  if (random.chance(roundPriorities)) priority = BigInt(random.whole(1, 3));
  if (random.chance(paused)) priority = 0n;
  return { scheduling, priority };
}

/** Hundreds of alike containers at once, as of an array. */
export function burst(count: number, atMs: number, random: SeededRandom): WorkItem[] {
  const durationMs = random.pick([5_000, 30_000, minuteMs]);
  const vcpus = random.pick([1, 1, 2, 4]);
  const priority = BigInt(random.whole(1, 500));
  return Array.from({ length: count }, (_, index) => ({
    atMs,
    durationMs: Math.round(random.logNormal(durationMs, 0.3)),
    exitCode: random.chance(0.05) ? 1 : 0,
    request: {
      ...plainRequest,
      name: `burst-${Math.round(atMs)}-${index + 1}`,
      constraints: { ...noConstraints, vcpus, ramBytes: 2 ** 30 },
      priority,
    },
  }));
}

/** In the order of their times; those of one time keep their order. */
export function merged(...parts: readonly Workload[]): Workload {
  return parts.flat().sort((a, b) => a.atMs - b.atMs);
}
