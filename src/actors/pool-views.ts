import type { WorkerState } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { InstanceView, RunningView, WorkerGaugeView } from './pool.js';
import type { WorkerSnapshot } from './roster.js';

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

/** Where the worker is in its life; `appearing` and `gone` last for no time (V-10). */
export function workerStateOf(snapshot: WorkerSnapshot): WorkerState {
  const { lifecycle } = snapshot.value;
  if (typeof lifecycle !== 'string') return 'booting' in lifecycle ? 'booting' : 'shutdown';
  if (lifecycle === 'appearing') return snapshot.context.expected ? 'booting' : 'unknown';
  if (lifecycle === 'orphaned') return 'unknown';
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
    isOrphan: snapshot.value.lifecycle === 'orphaned',
    bootStage: workerState === 'booting' ? context.bootStage : undefined,
    idleBehavior: context.idleBehavior,
    lastContainerUuid: context.lastContainerUuid,
    lastBusyAt: context.busyAt,
    appearedAt: context.appearedAt,
    createdAt: context.createdAt ?? context.appearedAt,
    served: context.served,
    containerUuids: Object.keys(context.runners).sort(),
  };
}

export function countStates(snapshots: readonly WorkerSnapshot[]): Record<WorkerState, number> {
  const counts = { unknown: 0, booting: 0, idle: 0, running: 0, shutdown: 0 };
  for (const snapshot of snapshots) counts[workerStateOf(snapshot)]++;
  return counts;
}

export function gaugeOf(snapshot: WorkerSnapshot): WorkerGaugeView {
  const { instanceType, idleBehavior, runners, probedAt } = snapshot.context;
  const workerState = workerStateOf(snapshot);
  return { instanceType, workerState, idleBehavior, runners: Object.keys(runners).length, probedAt };
}

/** What has a process on an instance, and what lately had one. */
export function runningViews(
  snapshots: readonly WorkerSnapshot[],
  exited: ReadonlyMap<string, { instanceId: string; at: number }>,
): Map<string, RunningView> {
  const running = new Map<string, RunningView>();
  for (const { context } of snapshots) {
    for (const [uuid, runner] of Object.entries(context.runners)) {
      const phase = runner.phase === 'collecting' ? 'ending' : runner.phase;
      running.set(uuid, { instanceId: context.instance.id, phase, exitedAt: undefined });
    }
  }
  for (const [uuid, { instanceId, at }] of exited) {
    if (!running.has(uuid)) running.set(uuid, { instanceId, phase: 'exited', exitedAt: at });
  }
  return running;
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

/** By instance id, then type name, in byte order (L-32). */
export function byInstanceThenType(a: InstanceView, b: InstanceView): number {
  return compare(a.instanceId, b.instanceId) || compare(a.instanceType.name, b.instanceType.name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
