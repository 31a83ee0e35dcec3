import type { InstanceType } from './instance-type.js';
import type { WorkerState, Quarantine, BootStage, IdleBehavior } from './instance.js';

/** One worker, or one create call that has not returned (L-30, L-31). */
export interface InstanceView {
  /** `''` while it is being created. */
  instanceId: string;
  /** Tells two creations apart; `''` for an instance that exists. */
  launchId: string;
  address: string;
  instanceType: InstanceType;
  workerState: WorkerState;
  /** Nobody recorded that it was asked for, and it never answered: it may belong to somebody else. */
  isOrphan?: boolean;
  /** It rebooted, or lost the runner program: nothing can be begun there until that is in place again. */
  isBeingSetUp?: boolean;
  /** Not given: it is in none. */
  quarantine?: Quarantine | undefined;
  /** While booting. */
  bootStage: BootStage | undefined;
  idleBehavior: IdleBehavior;
  lastContainerUuid: string;
  /** Epoch ms; 0 for a creation. */
  lastBusyAt: number;
  appearedAt: number;
  /** When it was asked for, or first seen where that is not known; epoch ms. */
  createdAt?: number;
  /** How many containers were begun on it since this process knows it. */
  served: number;
  /** Sorted; those that start included (L-30). */
  containerUuids: readonly string[];
}

/** A container that has, or lately had, a process on an instance. */
export interface RunningView {
  instanceId: string;
  /** `starting`: nobody saw the process yet; `ending`: it is over, and its result is on its way to the queue. */
  phase: 'starting' | 'running' | 'ending' | 'exited';
  /** Epoch ms, `undefined` while alive. */
  exitedAt: number | undefined;
  /** Of one that exited: why, where more is known than that its process is gone. */
  because?: string;
  /** Which attempt it is, where the instance or the order to start it named that. */
  attempt?: number;
}

/** One worker as the metrics see it (section 9). */
export interface WorkerGaugeView {
  instanceId: string;
  instanceType: InstanceType;
  workerState: WorkerState;
  idleBehavior: IdleBehavior;
  runners: number;
  /** By its driver. */
  isQuarantined?: boolean;
  /** Last successful probe, epoch ms. */
  probedAt: number;
}
