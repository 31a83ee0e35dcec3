import { expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import { noConstraints } from '../../src/domain/container.js';
import { DriverError } from '../../src/drivers/driver.js';
import { faultlessVm, type VmKnobs } from '../../src/drivers/simulated/knobs.js';
import { SimulatedCloud } from '../../src/drivers/simulated/simulated-cloud.js';
import { SimulatedDriver } from '../../src/drivers/simulated/simulated-driver.js';
import { SshHost } from '../../src/drivers/simulated/ssh-host.js';
import { managementToken, startInProcess } from '../support/in-process.js';

const patient = { timeout: 150_000, interval: 200 };
const timeoutBootingMs = 2_000;

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

it(
  'finishes every container on a fleet with every fault there is, and leaves nothing (T-60)',
  { timeout: 240_000 },
  async () => {
    const seed = Date.now() % 1_000_000;
    const random = seeded(seed);
    console.log(`seed ${seed}`);
    const startedAt = Date.now();
    const alive = new Map<string, number>();
    const finished = new Map<string, number>();
    let overlaps = 0;
    let machines = 0;
    const knobsOf = (): VmKnobs => {
      const kind = machines++ % 7;
      const knobs = {
        ...faultlessVm,
        bootMs: 20 + 80 * random(),
        lockLagMs: 20,
        crashRate: 0.1,
        deadlockRate: 0.1,
      };
      if (kind === 0) return { ...knobs, brokenAfterMs: 300 + 1_000 * random() };
      if (kind === 1) return { ...knobs, runnerMissing: true };
      if (kind === 2) return { ...knobs, reportBrokenAfterMs: 300 + 1_000 * random() };
      return knobs;
    };
    const host = new SshHost({
      clock: systemClock,
      random,
      hasKnownHostKeys: false,
      knobsOf,
      execute: (uuid) => {
        if (alive.get(uuid)) overlaps++;
        return { durationMs: 20 + 80 * random(), exitCode: 0, stdout: uuid, stderr: '' };
      },
      onStarted: (uuid) => void alive.set(uuid, (alive.get(uuid) ?? 0) + 1),
      onEnded: (uuid, { isCrash }) => {
        alive.set(uuid, 0);
        if (!isCrash) finished.set(uuid, (finished.get(uuid) ?? 0) + 1);
      },
    });
    const cloud = new SimulatedCloud({
      host,
      clock: systemClock,
      random,
      knobs: { createErrorRate: 0.1, destroyErrorRate: 0.1 },
      admit: ({ instanceType }) => {
        if (instanceType.name === 'type2' && Date.now() - startedAt < 2 * timeoutBootingMs) {
          throw new DriverError('unavailable', 'this type does not work yet');
        }
      },
      onFault: (id, error) => expect.fail(`${id}: ${String(error)}`),
    });
    cloud.noCapacity.set('provider3', 'type');
    const types = [1, 2, 3, 4].map(
      (n) =>
        `  type${n}: { providerType: provider${n}, vcpus: ${n}, ram: ${n}GiB, includedScratch: ${n}GiB, price: ${0.123 * n} }`,
    );
    const app = await startInProcess(
      `managementToken: ${managementToken}
instanceTypes:
${types.join('\n')}
driver: simulated
pool:
  bootProbeCommand: 'true'
  probeInterval: 100ms
  maxProbesPerSecond: 1000
  syncInterval: 300ms
  timeoutIdle: 500ms
  timeoutBooting: ${timeoutBootingMs}ms
  timeoutProbe: 1s
  timeoutShutdown: 300ms
  timeoutTerm: 500ms
  timeoutSignal: 100ms
  timeoutStaleRunLock: 300ms
  commandTimeout: 2s
  cloudCallTimeout: 5s
  capacityHoldOff: 500ms
  quotaHoldOff: 500ms
  quotaRetry: 1s
  maxCloudOpsPerSecond: 0
  maxConcurrentCreates: 4
  maxInstances: 16`,
      { driver: new SimulatedDriver(cloud, () => cloud.close()) },
    );
    try {
      const requests = Array.from({ length: 200 }, (_, index) => ({
        name: `c${index}`,
        command: ['true'],
        env: {},
        image: '',
        cwd: '',
        constraints: { ...noConstraints, vcpus: 1 + (index % 2), ramBytes: 2 ** 20 },
        scheduling: { preemptible: false, supervisor: false, maxRunTimeMs: 0 },
        tmpMountBytes: 0,
        priority: BigInt(1 + (index % 5)),
        maxAttempts: 50,
        idempotencyKey: '',
      }));
      const { store, pool, journal } = app.daemon;
      const uuids = (await store.submit(requests)).map(({ uuid }) => uuid);
      const open = async (): Promise<number> => {
        const counts = await store.counts();
        return counts.Queued + counts.Locked + counts.Running;
      };
      await expect.poll(open, patient).toBe(0);
      expect(await store.counts()).toMatchObject({ Complete: 200, Cancelled: 0 });
      expect(overlaps).toBe(0);
      // Run again only when an instance took the first result along.
      const lost = new Set(
        (await journal.read({ kind: 'plan.lost', limit: 10_000 })).map(({ container }) => container),
      );
      expect(uuids.filter((uuid) => (finished.get(uuid) ?? 0) > 1 && !lost.has(uuid))).toEqual([]);
      await expect.poll(() => pool.instances().length, patient).toBe(0);
      await expect.poll(() => store.entries().entries.size, patient).toBe(0);
      expect(cloud.instanceIds).toEqual([]);

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
      expect(value('driver_operations{operation="List",error="1"}')).toBe(0);
      for (const outcome of ['success', 'failure'])
        expect(value(`boot_outcomes{outcome="${outcome}"}`)).toBeGreaterThan(0);
      expect(value('instances_disappeared{state="shutdown"}')).toBeGreaterThan(0);
      expect(value('instances_disappeared{state="unknown"}')).toBe(0);
    } finally {
      await app.stop();
    }
  },
);
