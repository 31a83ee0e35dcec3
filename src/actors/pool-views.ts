import type { WorkerState } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { InstanceView } from './pool.js';
import type { WorkerSnapshot } from './roster.js';

/** A create call whose instance is not among the workers yet. */
export interface PendingLaunch {
  launchId: string;
  instanceType: InstanceType;
  fingerprint: string;
  startedAt: number;
  /** The list showed the instance before the call returned (K-11). */
  isListed: boolean;
}

/** Where the worker is in its life; `appearing` and `gone` last for no time (V-10). */
export function workerStateOf(snapshot: WorkerSnapshot): WorkerState {
  const { lifecycle } = snapshot.value;
  if (typeof lifecycle !== 'string') return 'booting' in lifecycle ? 'booting' : 'shutdown';
  if (lifecycle === 'appearing') return snapshot.context.expected ? 'booting' : 'unknown';
  return lifecycle === 'gone' ? 'shutdown' : lifecycle;
}

export function viewOfWorker(snapshot: WorkerSnapshot): InstanceView {
  const { context } = snapshot;
  const workerState = workerStateOf(snapshot);
  return {
    instanceId: context.instance.id,
    launchId: '',
    address: context.instance.address,
    instanceType: context.instanceType,
    workerState,
    bootStage: workerState === 'booting' ? context.bootStage : undefined,
    idleBehavior: context.idleBehavior,
    lastContainerUuid: context.lastContainerUuid,
    lastBusyAt: context.busyAt,
    appearedAt: context.appearedAt,
    containerUuids: Object.keys(context.runners).sort(),
  };
}

/** L-2, L-31. */
export function viewOfLaunch(launch: PendingLaunch): InstanceView {
  return {
    instanceId: '',
    launchId: launch.launchId,
    address: '',
    instanceType: launch.instanceType,
    workerState: 'booting',
    bootStage: 'requested',
    idleBehavior: 'run',
    lastContainerUuid: '',
    lastBusyAt: 0,
    appearedAt: launch.startedAt,
    containerUuids: [],
  };
}

/** By instance id, then type name, in byte order (L-32). */
export function byInstanceThenType(a: InstanceView, b: InstanceView): number {
  return compare(a.instanceId, b.instanceId) || compare(a.instanceType.name, b.instanceType.name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
