import type { InstanceType } from '../domain/instance-type.js';
import type { InstanceView, RunningView, WorkerGaugeView } from '../domain/instance-view.js';
import type { WorkerSnapshot } from '../machines/worker.js';
import { workerStateOf, knownSince } from '../machines/worker-state.js';

/** A create call whose instance is not among the workers yet. */
export interface PendingLaunch {
  launchId: string;
  instanceType: InstanceType;
  zone: string;
  fingerprint: string;
  startedAt: number;
  /** The list showed the instance before the call returned (K-11). */
  isListed: boolean;
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
    isOrphan: snapshot.value.lifecycle === 'orphaned',
    isBeingSetUp: context.setupLostBecause !== '',
    bootStage: workerState === 'booting' ? context.bootStage : undefined,
    quarantine: context.instance.quarantine,
    idleBehavior: context.idleBehavior,
    lastContainerUuid: context.lastContainerUuid,
    lastBusyAt: context.busyAt,
    appearedAt: knownSince(context),
    createdAt: knownSince(context),
    served: context.served,
    containerUuids: Object.keys(context.runners).sort(),
  };
}

export function gaugeOf(snapshot: WorkerSnapshot): WorkerGaugeView {
  const { instance, instanceType, idleBehavior, runners, probedAt } = snapshot.context;
  const workerState = workerStateOf(snapshot);
  const isQuarantined = instance.quarantine !== undefined;
  const count = Object.keys(runners).length;
  const instanceId = instance.id;
  return { instanceId, instanceType, workerState, idleBehavior, isQuarantined, runners: count, probedAt };
}

/** What has a process on the instance. */
export function runnersOf({ context }: WorkerSnapshot): [string, RunningView][] {
  return Object.entries(context.runners).map(([uuid, { phase, attempt }]) => [
    uuid,
    {
      instanceId: context.instance.id,
      phase: phase === 'collecting' ? 'ending' : phase,
      exitedAt: undefined,
      ...(attempt === undefined ? {} : { attempt }),
    },
  ]);
}

/** L-2, L-31. */
export function viewOfLaunch(launch: PendingLaunch): InstanceView {
  return {
    instanceId: '',
    launchId: launch.launchId,
    address: '',
    instanceType: launch.instanceType,
    workerState: 'booting',
    isOrphan: false,
    bootStage: 'requested',
    idleBehavior: 'run',
    lastContainerUuid: '',
    lastBusyAt: 0,
    appearedAt: launch.startedAt,
    served: 0,
    containerUuids: [],
  };
}

/** By type name, in byte order: how those stand that have no id yet (L-32). */
export function byType(a: InstanceView, b: InstanceView): number {
  return a.instanceType.name < b.instanceType.name ? -1 : a.instanceType.name > b.instanceType.name ? 1 : 0;
}
