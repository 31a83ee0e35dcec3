import { tagKeys } from '../../../src/domain/instance.js';
import { noGpu, type InstanceType } from '../../../src/domain/instance-type.js';
import type { WorkerSettings } from '../../../src/machines/worker-model.js';

/** One worker to explore. */
export interface WorkerOptions {
  expected: boolean;
  /** Known from the beginning. */
  hasAddress: boolean;
  behaviorTag: string;
  typeIsConfigured: boolean;
  collects: boolean;
  /** False: nothing says that it was asked for. */
  recorded?: boolean;
  removesOrphans?: boolean;
}

export const containerIds: Readonly<Record<string, string>> = {
  c1: 'zzzzz-dz642-000000000000001',
  c2: 'zzzzz-dz642-000000000000002',
};

/** All waits differ, so that no two end at the same moment by chance. */
export function settingsOf({
  collects,
  removesOrphans = false,
}: Pick<WorkerOptions, 'collects' | 'removesOrphans'>): WorkerSettings {
  return {
    tagKeys: tagKeys('Longshore'),
    timeoutIdleMs: 60_000,
    timeoutBootingMs: 101_000,
    bootStageTimeoutsMs: {
      requested: 31_000,
      addressed: 32_100,
      connected: 33_200,
      verified: 34_300,
      booted: 35_400,
      copied: 36_500,
    },
    timeoutProbeMs: 3_050,
    timeoutShutdownMs: 10_600,
    timeoutStaleRunLockMs: 5_700,
    maxFailedStarts: 2,
    orphanGraceMs: 50_300,
    removesOrphans,
    tagRetryMs: 1_800,
    watchRetryMs: 4_900,
    collects,
    runnerTimings: {
      timeoutTermMs: 30_010,
      timeoutSignalMs: 7_020,
      collectRetryMs: 2_030,
      timeoutCollectMs: 20_040,
    },
  };
}

export const instanceType: InstanceType = {
  name: 'small',
  providerType: 'provider.small',
  vcpus: 2,
  ramBytes: 2 ** 31,
  scratchBytes: 2 ** 33,
  includedScratchBytes: 2 ** 33,
  addedScratchBytes: 0,
  price: 0.1,
  preemptible: false,
  gpu: noGpu,
};

/** What a failed step says, and a step that threw. */
export const failureText = 'exit status 1';
export const faultText = 'a bug of ours';
