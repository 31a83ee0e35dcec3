import type { Config } from '../config/config.js';
import { tagKeys } from '../domain/instance.js';
import type { WorkerSettings } from '../machines/worker-model.js';

const tagRetryMs = 5_000;
const watchRetryMs = 2_000;
const collectRetryMs = 1_000;

/** What the configuration says about the life of a worker. `collects`: the runner program keeps results to be fetched. */
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
