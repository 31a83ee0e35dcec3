import type { Config } from '../config/config.js';
import { tagKeys } from '../domain/instance.js';
import type { WorkerSettings } from '../machines/worker-model.js';

const tagRetryMs = 5_000;
const watchRetryMs = 2_000;
const collectRetryMs = 1_000;

/** Returns the settings of workers. `collects`: the runner program keeps results to be collected. */
export function workerSettings({ pool }: Config, collects: boolean): WorkerSettings {
  return {
    tagKeys: tagKeys(pool.tagKeyPrefix),
    timeoutIdleMs: pool.timeoutIdleMs,
    timeoutBootingMs: pool.timeoutBootingMs,
    bootStageTimeoutsMs: pool.bootStageTimeoutsMs,
    timeoutProbeMs: pool.timeoutProbeMs,
    timeoutShutdownMs: pool.timeoutShutdownMs,
    timeoutStaleRunLockMs: pool.timeoutStaleRunLockMs,
    maxFailedStarts: pool.maxFailedStarts,
    orphanGraceMs: pool.orphanGraceMs,
    removesOrphans: pool.removeOrphans,
    tagRetryMs,
    watchRetryMs,
    collects,
    runnerTimings: {
      timeoutTermMs: pool.timeoutTermMs,
      timeoutSignalMs: pool.timeoutSignalMs,
      collectRetryMs,
      timeoutCollectMs: pool.timeoutCollectMs,
    },
  };
}
