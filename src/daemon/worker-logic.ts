import { bootProbeWith } from '../actors/boot-probe.js';
import { collectResultWith } from '../actors/collect-result.js';
import { copyRunnerWith } from '../actors/copy-runner.js';
import { destroyInstanceWith } from '../actors/destroy-instance.js';
import type { Executors } from '../fleet/instance-executors.js';
import { killContainerWith } from '../actors/kill-container.js';
import { runProbeWith } from '../actors/run-probe.js';
import type { RunnerProgram } from '../runner/program.js';
import { saveTagsWith } from '../actors/save-tags.js';
import { startContainerWith } from '../actors/start-container.js';
import type { StartFailures } from '../fleet/start-failures.js';
import { watchWith } from '../actors/watch.js';
import type { Config } from '../config/config.js';
import type { Clock } from '../domain/clock.js';
import type { Mandate } from '../domain/leader-guard.js';
import type { Driver } from '../drivers/driver.js';
import { runnerMachine } from '../machines/runner.js';
import { workerMachine } from '../machines/worker.js';
import type { Queue } from '../queue/queue.js';
import { FairSlots } from '../async/fair-slots.js';
import { Slots } from '../async/semaphore.js';

/** Dependencies of a worker's effects. */
export interface WorkerWorld {
  config: Config;
  clock: Clock;
  driver: Driver;
  executors: Executors;
  queue: Queue;
  runner: RunnerProgram;
  failures: StartFailures;
  /** Replaces the worker machine. */
  worker: typeof workerMachine | undefined;
  mandate: Mandate;
  /** Configuration of the cluster for runners with their own storage client; `null`: none. */
  clusterConfig: unknown;
  /** Maximum silence of a watch channel; default: three heartbeats of the runner program. */
  watchSilenceMs: number | undefined;
}

/** Three heartbeats of the runner program. */
const usualWatchSilenceMs = 45_000;
/** Bounded shares leave room on the connection of an instance for its probes. */
const starts = { count: 32, share: 3, patienceMs: 2_000, mostOverdue: 64 };
const collects = { count: 16, share: 2, patienceMs: 500, mostOverdue: 16 };
const uploads = { count: 4, share: 1, patienceMs: 5_000, mostOverdue: 12 };
const concurrentDestroys = 16;
const concurrentTagWrites = 8;

function runnerLogic(world: WorkerWorld) {
  const { config, clock, executors, queue, runner, mandate, clusterConfig, failures } = world;
  const timeoutMs = config.pool.commandTimeoutMs;
  return runnerMachine.provide({
    actors: {
      startContainer: startContainerWith({
        executors,
        runner,
        queue,
        settings: config.runner,
        systemRootToken: config.systemRootToken,
        keepBuffersPerVcpu: config.scheduler.localKeepBlobBuffersPerVcpu,
        clusterConfig,
        spotNotices: config.driver === 'ec2' || config.driver === 'azure' ? config.driver : undefined,
        timeoutMs,
        starts: new FairSlots({ clock, ...starts }),
        failures,
        mandate,
        clock,
      }),
      killContainer: killContainerWith({ executors, runner, mandate, timeoutMs }),
      collectResult: collectResultWith({
        executors,
        runner,
        queue,
        failures,
        logLimitBytes: config.runner.logLimitBytes,
        timeoutMs,
        collects: new FairSlots({
          clock,
          ...collects,
          isSuspect: (instanceId) => executors.conduct.isSuspect(instanceId as string),
        }),
        clock,
      }),
    },
  });
}

/** Returns the worker machine with its effects: commands through the executors, calls through the driver. */
export function workerLogic(world: WorkerWorld): typeof workerMachine {
  const { config, clock, driver, executors, runner, worker = workerMachine } = world;
  const { pool, clusterId } = config;
  const timeoutMs = pool.commandTimeoutMs;
  const { watchSilenceMs: silenceMs = usualWatchSilenceMs } = world;
  return worker.provide({
    actors: {
      runner: runnerLogic(world),
      bootProbe: bootProbeWith({
        executors,
        command: pool.bootProbeCommand,
        timeoutMs: pool.bootProbeTimeoutMs,
      }),
      copyRunner: copyRunnerWith({
        executors,
        runner,
        timeoutMs,
        uploads: new FairSlots({ clock, ...uploads }),
      }),
      runProbe: runProbeWith({ executors, runner, clusterId, timeoutMs, clock }),
      watch: watchWith({ executors, runner, clusterId, silenceMs, clock }),
      destroyInstance: destroyInstanceWith({ driver, destroys: new Slots(concurrentDestroys) }),
      saveTags: saveTagsWith({ driver, tagWrites: new Slots(concurrentTagWrites) }),
    },
  });
}
