// A thousand workers at rest: their memory, and what a round of probes costs.
import { createActor, fromCallback, fromPromise } from 'xstate';
import { systemClock } from '../src/domain/clock.js';
import { tagKeys, type Tags } from '../src/domain/instance.js';
import { runnerMachine } from '../src/machines/runner.js';
import type { OnInstance, RemoteOutcome, RunProbeOutcome } from '../src/machines/worker-effects.js';
import { workerMachine } from '../src/machines/worker.js';
import { round, typeOf, until } from './bench-parts.js';

/** Idle workers, with effects that do nothing. */
export async function benchWorkers(): Promise<Record<string, number>> {
  const machine = workerMachine.provide({
    actors: {
      bootProbe: fromPromise<RemoteOutcome, OnInstance>(() => Promise.resolve({ ok: true })),
      copyRunner: fromPromise<RemoteOutcome, OnInstance>(() => Promise.resolve({ ok: true })),
      saveTags: fromPromise<RemoteOutcome, OnInstance & { tags: Tags }>(() => Promise.resolve({ ok: true })),
      destroyInstance: fromPromise<RemoteOutcome, OnInstance>(() => Promise.resolve({ ok: true })),
      runner: runnerMachine,
      watch: fromCallback(() => () => {}),
      runProbe: fromPromise<RunProbeOutcome, OnInstance>(() =>
        Promise.resolve({
          ok: true,
          durationMs: 1,
          listing: { live: [], stale: [], ended: [], broken: false, interruption: '' },
        }),
      ),
    },
  });
  const keys = tagKeys('Bench');
  const stageMs = 600_000;
  const settings = {
    tagKeys: keys,
    timeoutIdleMs: 600_000,
    timeoutBootingMs: stageMs,
    bootStageTimeoutsMs: {
      requested: stageMs,
      addressed: stageMs,
      connected: stageMs,
      verified: stageMs,
      booted: stageMs,
      copied: stageMs,
    },
    timeoutProbeMs: 600_000,
    timeoutShutdownMs: 10_000,
    timeoutStaleRunLockMs: 5_000,
    tagRetryMs: 5_000,
    watchRetryMs: 2_000,
    collects: true,
    runnerTimings: {
      timeoutTermMs: 120_000,
      timeoutSignalMs: 5_000,
      collectRetryMs: 1_000,
      timeoutCollectMs: 600_000,
    },
  };
  globalThis.gc?.();
  const before = process.memoryUsage();
  const from = performance.now();
  const type = typeOf(1);
  const actors = Array.from({ length: 1_000 }, (_, index) => {
    const instance = {
      id: `i-${index}`,
      displayName: `i-${index}`,
      providerType: type.providerType,
      address: '127.0.0.1:22',
      remoteUser: 'root',
      tags: { [keys.instanceType]: type.name, [keys.idleBehavior]: 'run' },
      priceHistory: [],
    };
    const input = {
      clock: systemClock,
      settings,
      instance,
      instanceType: type,
      typeIsConfigured: true,
      expected: true,
    };
    const actor = createActor(machine, { input });
    actor.start();
    actor.send({ type: 'probe.due' });
    return actor;
  });
  await until(() =>
    Promise.resolve(actors.every((actor) => actor.getSnapshot().matches({ lifecycle: 'idle' }))),
  );
  const bootMs = performance.now() - from;
  globalThis.gc?.();
  const after = process.memoryUsage();
  const probeFrom = performance.now();
  for (let probe = 0; probe < 10; probe++) {
    for (const actor of actors) actor.send({ type: 'probe.due' });
    await new Promise((resolve) => setImmediate(resolve));
  }
  const probeUs = ((performance.now() - probeFrom) * 1_000) / 10_000;
  const figures = {
    rssMb: round(after.rss / 2 ** 20),
    rssBeforeMb: round(before.rss / 2 ** 20),
    addedHeapKbEach: round((after.heapUsed - before.heapUsed) / 1_024 / 1_000),
    bootAllMs: round(bootMs),
    probeRoundUs: round(probeUs),
    goalRssMb: 150,
  };
  for (const actor of actors) actor.stop();
  return figures;
}
