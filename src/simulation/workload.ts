import { noConstraints } from '../domain/container.js';
import type { ContainerRequest } from '../queue/container-store.js';
import type { SeededRandom } from './seeded-random.js';

/** One container of a simulated owner. */
export interface WorkItem {
  /** When it is asked for, ms from the start. */
  atMs: number;
  /** How long it runs on an instance. */
  durationMs: number;
  exitCode: number;
  request: ContainerRequest;
}

/** In the order of their times. */
export type Workload = readonly WorkItem[];

/** A kind of container in a generated workload. */
export interface WorkSize {
  /** How many of these there are, against the others. */
  weight: number;
  vcpus: number;
  ramBytes: number;
  preemptible?: boolean;
  /** Median of how long they run. */
  durationMs: number;
  /** 0: all alike; 1: some run several times longer than others. */
  durationSpread: number;
}

export interface WorkloadShape {
  hours: number;
  /** On average; they arrive at random. */
  perHour: number;
  sizes: readonly WorkSize[];
  /** How many come at once; default 1. */
  batch?: number;
  /** Share of containers that end with an exit code; default 0. */
  failingShare?: number;
  /** How often a lost run is begun again; default 3 runs. */
  maxAttempts?: number;
}

/** A request with nothing particular. */
export const plainRequest: ContainerRequest = {
  name: '',
  command: ['true'],
  env: {},
  image: '',
  cwd: '',
  constraints: noConstraints,
  scheduling: { preemptible: false, supervisor: false, maxRunTimeMs: 0 },
  tmpMountBytes: 0,
  priority: 1n,
  maxAttempts: 3,
  idempotencyKey: '',
};

/** The same shape and the same chance give the same workload. */
export function generateWorkload(shape: WorkloadShape, random: SeededRandom): Workload {
  const { hours, perHour, batch = 1, failingShare = 0, maxAttempts = 3 } = shape;
  const items: WorkItem[] = [];
  if (perHour <= 0) return items;
  const untilMs = hours * 3_600_000;
  for (let atMs = 0; ;) {
    atMs += random.exponential((3_600_000 * batch) / perHour);
    if (atMs >= untilMs) return items;
    for (let each = 0; each < batch; each++) {
      const { vcpus, ramBytes, preemptible = false, durationMs, durationSpread } = pickSize(shape, random);
      items.push({
        atMs: Math.round(atMs),
        durationMs: Math.max(1, Math.round(random.logNormal(durationMs, durationSpread))),
        exitCode: random.chance(failingShare) ? random.whole(1, 255) : 0,
        request: {
          ...plainRequest,
          name: `work-${items.length + 1}`,
          constraints: { ...noConstraints, vcpus, ramBytes },
          scheduling: { ...plainRequest.scheduling, preemptible },
          priority: BigInt(random.whole(1, 1_000)),
          maxAttempts,
        },
      });
    }
  }
}

function pickSize({ sizes }: WorkloadShape, random: SeededRandom): WorkSize {
  let left = random.next() * sizes.reduce((sum, { weight }) => sum + weight, 0);
  for (const size of sizes) {
    left -= size.weight;
    if (left < 0) return size;
  }
  return sizes.at(-1)!;
}
