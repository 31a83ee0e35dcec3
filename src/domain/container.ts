export const containerStates = ['Queued', 'Locked', 'Running', 'Complete', 'Cancelled'] as const;
/** CR-10. */
export type ContainerState = (typeof containerStates)[number];

/** What a container asks of an instance, before any margin (CR-2, CR-4). */
export interface RuntimeConstraints {
  vcpus: number;
  ramBytes: number;
  keepCacheRamBytes: number;
  keepCacheDiskBytes: number;
  gpu: {
    stack: string;
    driverVersion: string;
    hardwareTarget: readonly string[];
    deviceCount: number;
    vramBytes: number;
  };
}

/** What is done about an attempt that ended without success, while attempts remain. */
export interface RetryPolicy {
  /** Exit codes that are tried again; `any`: all but 0. A lost attempt always is. */
  exitCodes: 'any' | readonly number[];
  /** Pause before the second attempt; twice as long before each further one. */
  delayMs: number;
}

/** CR-3, and what Longshore adds. */
export interface SchedulingParameters {
  preemptible: boolean;
  supervisor: boolean;
  /** After this long a run is stopped; 0: never. */
  maxRunTimeMs: number;
  /** A preemptible container may run on on-demand instances while there is no spot capacity; not given: no. */
  onDemandFallback?: boolean;
  /** Not given: only lost attempts are tried again, at once. */
  retry?: RetryPolicy;
  /** Epoch ms before which it is not begun again. */
  notBeforeAt?: number;
}

/** The part of a container the scheduler and the pool look at (CR-1). */
export interface Container {
  /** Five characters of cluster id, `-dz642-`, fifteen characters (CR-9). */
  uuid: string;
  state: ContainerState;
  /** 64 bit; 0 means "must not run" (CR-6). */
  priority: bigint;
  constraints: RuntimeConstraints;
  scheduling: SchedulingParameters;
  /** Image reference; `''` runs the command as a plain process. */
  image: string;
  /** Sum of the capacities of its temporary mounts (CR-4). */
  tmpMountBytes: number;
  /** Epoch ms. */
  createdAt: number;
  /** The instance it was last recorded to run on; `''` or not given: not known. */
  instanceId?: string;
  /** Number of its last attempt, from 1; 0 before the first. Not given: this queue does not count attempts. */
  attempt?: number;
}

/** The attempt that a report of an instance is about. */
export interface AttemptOrigin {
  /** The instance that reports. */
  instanceId: string;
  /** As the instance's runner program recorded it at the start; `undefined`: it recorded none. */
  attempt: number | undefined;
}

/** What a container needs of an instance, margins included (NS-1..NS-9). */
export interface ResourceNeeds {
  vcpus: number;
  ramBytes: number;
  scratchBytes: number;
  gpus: number;
  /** Per device. */
  gpuVramBytes: number;
}

export const noConstraints: RuntimeConstraints = {
  vcpus: 1,
  ramBytes: 0,
  keepCacheRamBytes: 0,
  keepCacheDiskBytes: 0,
  gpu: { stack: '', driverVersion: '', hardwareTarget: [], deviceCount: 0, vramBytes: 0 },
};

export function isFinal(state: ContainerState): boolean {
  return state === 'Complete' || state === 'Cancelled';
}
