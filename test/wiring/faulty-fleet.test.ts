import { availableParallelism, loadavg } from 'node:os';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import { noConstraints } from '../../src/domain/container.js';
import type { CreateSpec } from '../../src/drivers/driver.js';
import { faultlessVm, type VmKnobs } from '../../src/drivers/simulated/vm-behavior.js';
import { SimulatedCloud } from '../../src/drivers/simulated/simulated-cloud.js';
import { SimulatedDriver } from '../../src/drivers/simulated/simulated-driver.js';
import { SshHost } from '../../src/drivers/simulated/ssh-host.js';
import type { ContainerRequest } from '../../src/queue/container-store.js';
import { managementToken, startInProcess } from '../support/in-process.js';

// The values are those of the reference's own end-to-end test. LONGSHORE_T60_RUNS=20 makes as many runs in a row, and
// LONGSHORE_T60_CONTAINERS=2000 makes them larger.
const runs = Number(process.env['LONGSHORE_T60_RUNS'] ?? 1);
const containers = Number(process.env['LONGSHORE_T60_CONTAINERS'] ?? 200);
const timeoutBootingMs = 150;
const quota = 10;

/** So long nothing may move; in proportion longer where others use the processors as well. */
function longestStillMs(): number {
  return 5_000 * Math.max(1, (2 * loadavg()[0]!) / availableParallelism());
}

/** A small generator, so that a run can be had again from its seed. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Which containers run where, and how often each came to an end by itself. */
class Truth {
  readonly finished = new Map<string, number>();
  overlaps = 0;
  /** Anything that happened on a machine. */
  steps = 0;
  readonly #alive = new Map<string, Set<string>>();

  started(uuid: string, instanceId: string): void {
    this.steps++;
    const places = this.#alive.get(uuid) ?? new Set();
    this.#alive.set(uuid, places.add(instanceId));
    if (places.size > 1) this.overlaps++;
  }

  ended(uuid: string, instanceId: string, isCrash: boolean): void {
    this.steps++;
    this.#alive.get(uuid)?.delete(instanceId);
    if (!isCrash) this.finished.set(uuid, (this.finished.get(uuid) ?? 0) + 1);
  }

  gone(instanceId: string): void {
    this.steps++;
    for (const places of this.#alive.values()) places.delete(instanceId);
  }
}

/** Every seventh machine breaks in one of three ways; those of type 4 do not answer at first; on the others runners die. */
function machineKnobs(random: () => number): (id: string, spec: CreateSpec) => VmKnobs {
  let machines = 0;
  let firstOfType4At: number | undefined;
  return (_id, { instanceType }) => {
    const kind = machines++ % 7;
    const knobs = { ...faultlessVm, bootMs: 5 * random(), detachDelayMs: 10 * random() };
    if (instanceType.name === 'type4') {
      firstOfType4At ??= Date.now();
      if (Date.now() - firstOfType4At < 2 * timeoutBootingMs) return { ...knobs, bootMs: Infinity };
    }
    if (kind === 0) return { ...knobs, brokenAfterMs: 90 * random() };
    if (kind === 1) return { ...knobs, runnerMissing: true };
    if (kind === 2) return { ...knobs, reportBrokenAfterMs: 200 * random() };
    return { ...knobs, crashRate: 0.1, deadlockRate: 0.1 };
  };
}

function faultyCloud(random: () => number, truth: Truth): SimulatedCloud {
  const host = new SshHost({
    clock: systemClock,
    random,
    hasKnownHostKeys: false,
    knobsOf: machineKnobs(random),
    execute: (uuid) => ({
      durationMs: 19 * random(),
      exitCode: Math.floor(4 * random()),
      stdout: uuid,
      stderr: '',
    }),
    onStarted: (uuid, id) => truth.started(uuid, id),
    onEnded: (uuid, { isCrash }, id) => truth.ended(uuid, id, isCrash),
  });
  const cloud = new SimulatedCloud({
    host,
    clock: systemClock,
    random,
    knobs: { createErrorRate: 0.1, destroyErrorRate: 0.1, minTimeBetweenCreatesMs: 1, maxInstances: quota },
    onRetired: (id) => truth.gone(id),
    onFault: (id, error) => expect.fail(`${id}: ${String(error)}`),
  });
  cloud.noCapacity.set('provider6', 'type');
  return cloud;
}

const types = [1, 2, 3, 4, 6, 8, 16].map(
  (n) =>
    `  type${n}: { providerType: provider${n}, vcpus: ${n}, ram: ${Math.round(n * 1.1 * 2 ** 30)}, includedScratch: ${n}GB, price: ${0.123 * n} }`,
);

// Of protected mode the reference knows nothing: with it, the machines of type 4 would stop all others for 10 minutes.
const settings = `managementToken: ${managementToken}
instanceTypes:
${types.join('\n')}
driver: simulated
scheduler:
  reserveExtraRam: 0
  localKeepBlobBuffersPerVcpu: 0
  staleLockTimeout: 5ms
  pollInterval: 5ms
  initialQuotaEstimate: 8
  maximumPriceFactor: 1.5
  maxDispatchAttempts: 10
pool:
  bootProbeCommand: 'true'
  probeInterval: 5ms
  maxProbesPerSecond: 1000
  syncInterval: 10ms
  timeoutIdle: 150ms
  timeoutBooting: ${timeoutBootingMs}ms
  timeoutProbe: 15ms
  timeoutShutdown: 5ms
  timeoutTerm: 20ms
  timeoutSignal: 3ms
  timeoutStaleRunLock: 3ms
  maxCloudOpsPerSecond: 500
  maxConcurrentCreates: 0
  bootFailureLimit: 0`;

const requests = Array.from({ length: containers }, (_, index): ContainerRequest => ({
  name: `c${index}`,
  command: ['true'],
  env: {},
  image: '',
  cwd: '',
  constraints: { ...noConstraints, vcpus: (index % 8) + 1, ramBytes: ((index % 3) + 1) * 2 ** 30 },
  scheduling: { preemptible: false, supervisor: false, maxRunTimeMs: 0 },
  tmpMountBytes: 0,
  priority: BigInt((index % 20) + 1),
  maxAttempts: 5,
  idempotencyKey: '',
}));

/** Resolves when it is done; fails when nothing moved for too long. `moved` changes with whatever happens. */
async function untilDone(isDone: () => Promise<boolean>, moved: () => number): Promise<void> {
  let [lastMoved, movedAt] = [moved(), Date.now()];
  while (!(await isDone())) {
    const now = moved();
    if (now !== lastMoved) [lastMoved, movedAt] = [now, Date.now()];
    if (Date.now() - movedAt > longestStillMs()) expect.fail(`nothing moved for ${Date.now() - movedAt} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function run(seed: number): Promise<void> {
  const random = seeded(seed);
  const truth = new Truth();
  const cloud = faultyCloud(random, truth);
  const app = await startInProcess(settings, { driver: new SimulatedDriver(cloud, () => cloud.close()) });
  try {
    const { store, pool, journal } = app.daemon;
    let overloadedAt = 0;
    Object.assign(store, { last503At: () => overloadedAt });
    const startedAt = Date.now();
    const uuids = (await store.submit(requests)).map(({ uuid }) => uuid);
    const ended = async (): Promise<boolean> => {
      const { Complete, Cancelled } = await store.counts();
      if (Complete + Cancelled >= containers / 2 && overloadedAt === 0) overloadedAt = Date.now();
      return Complete + Cancelled === containers;
    };
    await untilDone(ended, () => truth.steps);
    const endedMs = Date.now() - startedAt;
    expect(overloadedAt).toBeGreaterThan(0);
    expect(truth.overlaps).toBe(0);
    // Run again only when an instance took the first result along.
    const lost = new Set(
      (await journal.read({ kind: 'container.lost', limit: 100_000 })).map(({ container }) => container),
    );
    expect(uuids.filter((uuid) => (truth.finished.get(uuid) ?? 0) > 1 && !lost.has(uuid))).toEqual([]);
    await untilDone(
      async () => pool.instances().length === 0 && cloud.instanceIds.length === 0,
      () => 0,
    );
    await expect.poll(() => store.entries().entries.size).toBe(0);
    const { Complete, Cancelled } = await store.counts();
    console.log(`seed ${seed}: ${Complete} complete, ${Cancelled} cancelled in ${endedMs} ms`);

    const story = await journal.read({ limit: 100_000 });
    expect(story.filter(({ kind }) => kind === 'worker.broke')).toEqual([]);
    expect(story.filter(({ kind }) => kind === 'invariant.violated')).toEqual([]);
    const transitions = story.filter(({ kind }) => kind === 'worker.transition');
    expect(transitions.length).toBeGreaterThan(20);
    expect(transitions.filter(({ because }) => !because)).toEqual([]);
    const metrics = (await app.ask('/metrics')).text;
    const value = (series: string): number =>
      Number(metrics.split(`arvados_dispatchcloud_${series} `)[1]?.split('\n')[0]);
    for (const operation of ['Create', 'List', 'Destroy']) {
      expect(value(`driver_operations{operation="${operation}",error="0"}`)).toBeGreaterThan(0);
    }
    expect(value('driver_operations{operation="Create",error="1"}')).toBeGreaterThan(0);
    for (const outcome of ['success', 'failure'])
      expect(value(`boot_outcomes{outcome="${outcome}"}`)).toBeGreaterThan(0);
    expect(value('instances_disappeared{state="shutdown"}')).toBeGreaterThan(0);
    expect(value('instances_disappeared{state="unknown"}')).toBe(0);
  } finally {
    await app.stop();
  }
}

describe('a fleet with every fault there is', () => {
  const first = Date.now() % 1_000_000;
  const seeds = Array.from({ length: runs }, (_, each) => first + each);
  it.each(seeds)(
    'ends every container once, never stands still and leaves nothing (T-60, seed %i)',
    { timeout: 240_000 + 200 * containers },
    run,
  );
});
