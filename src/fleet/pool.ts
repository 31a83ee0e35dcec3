import type { Container } from '../domain/container.js';
import type { IdleBehavior, WorkerState } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { RoomAtQuota } from '../policy/plan.js';
import type { InstanceView, RunningView } from '../domain/instance-view.js';

export class PoolError extends Error {
  readonly code: 'not-found';
  constructor(message: string) {
    super(message);
    this.name = 'PoolError';
    this.code = 'not-found';
  }
}

/** The worker pool as the dispatcher, the API and the metrics see it (SC-90). No call waits, but `loaded`. */
export interface Pool {
  /** The first list of instances arrived (L-33). */
  loaded(): Promise<void>;
  /** Sorted by instance id, then type name (L-32). */
  instances(): InstanceView[];
  running(): ReadonlyMap<string, RunningView>;
  /** Processes of containers that `running` has on another instance: on one of the two they should not be. */
  doubles(): readonly (RunningView & { uuid: string })[];
  /** Without creations under way. */
  countWorkers(): Record<WorkerState, number>;
  /** What runs on some worker is not known yet; one that is taken for an orphan does not count. */
  hasUnknownWorkers(): boolean;
  /**
   * A container without a process here may have one all the same: its instance has not said yet what runs on it, or may
   * be there though too few lists arrived to show it. Where the instance is not known: any may be the one.
   */
  mayRunUnseen(container: Pick<Container, 'uuid' | 'instanceId'>): boolean;
  atQuota(): boolean;
  atCapacity(type: InstanceType): boolean;
  /** The provider lacked the type a while ago, and one create call may ask again. */
  isOnTrial(type: InstanceType): boolean;
  /** How many more create calls would be accepted now, by quota, pace and what is under way; `Infinity` without limit. */
  creatable(): number;
  /** What may be given up at quota for an instance of another type. */
  roomAtQuota(): RoomAtQuota;
  /** Why no instance may be made at quota, and until when at the latest; `undefined`: not at quota. */
  quotaHold(): { because: string; until: number | undefined } | undefined;
  /** The breaker for which the type cannot be had, and when it is tried again; `undefined`: it can be had. */
  capacityHold(type: InstanceType): { key: string; until: number | undefined } | undefined;
  /** Epoch ms until which creations are held off by the provider's pace, or `undefined` (L-19). */
  createHeldUntil(): number | undefined;
  /** Protected mode: why nothing is asked for after too many failed boots, and until when; `undefined`: it is not on. */
  protection(): { because: string; until: number | undefined } | undefined;
  /** The new creation, or why there is none (L-1). */
  create(
    type: InstanceType,
    because: string,
  ): InstanceView | 'quota' | 'capacity' | 'throttled' | 'no-runner';
  /** False unless the worker is idle or booting and not on hold (W-27). */
  shutdown(instanceId: string, because: string): boolean;
  /** An idle instance is not given back yet: its time of idling begins anew. */
  keep(instanceId: string): void;
  /** False unless the worker is in service with behavior `run`. */
  startContainer(instanceId: string, container: Container): boolean;
  /** True while a process may exist. `instanceId`: only there. */
  killContainer(uuid: string, because: string, instanceId?: string): boolean;
  forgetContainer(uuid: string): void;
  /** Throws {@link PoolError} `requested instance does not exist` (I-6). */
  setIdleBehavior(instanceId: string, behavior: IdleBehavior, because: string): void;
  /** Throws {@link PoolError} `instance not found` (L-35). */
  killInstance(instanceId: string, because: string): void;
  /** `undefined` when healthy (L-36). */
  health(): string | undefined;
  /** Calls back after changes, many at once as one, never inside the change (L-28, L-29). Returns the end of it. */
  subscribe(listener: () => void): () => void;
}
