import type { InstanceConduct } from '../domain/conduct-view.js';
import { toWire, type InstanceTypeWire } from '../domain/instance-type.js';
import {
  describeWait,
  positionOf,
  unblocks,
  waitBeyondPlan,
  type WaitReason,
} from '../policy/wait-reason.js';
import type { ContainerRecord } from '../queue/container-store.js';
import type { DispatchView } from './deps.js';
import type { InstanceView } from '../domain/instance-view.js';
import type { QueueEntry } from '../domain/queue-entry.js';

const zeroTime = '0001-01-01T00:00:00Z';

export const timeOf = (at: number | undefined): string | null =>
  at === undefined ? null : new Date(at).toISOString();

/** L-30, L-31. */
export function legacyInstance(view: InstanceView): Record<string, unknown> {
  return {
    instance: view.instanceId,
    address: view.address,
    price: view.instanceType.price,
    arvados_instance_type: view.instanceType.name,
    provider_instance_type: view.instanceType.providerType,
    last_container_uuid: view.lastContainerUuid,
    last_busy: view.lastBusyAt === 0 ? zeroTime : timeOf(view.lastBusyAt),
    running_container_uuids: view.containerUuids,
    worker_state: view.workerState,
    idle_behavior: view.idleBehavior,
  };
}

/** H-22, API-4..API-7. */
export function legacyContainer({ entry, wait }: DispatchView): Record<string, unknown> {
  const { container, needs, firstSeenAt } = entry;
  const types = entry.instanceTypes.map(namedWire);
  return {
    container: legacyRecord(entry),
    instance_resources: {
      VCPUs: needs.vcpus,
      RAM: needs.ramBytes,
      Scratch: needs.scratchBytes,
      GPUs: needs.gpus,
      GPUVRAM: needs.gpuVramBytes,
    },
    instance_types: types,
    instance_type: types[0] ?? null,
    first_seen_at: timeOf(firstSeenAt),
    scheduling_status: wait && container.state !== 'Running' ? describeWait(wait) : '',
  };
}

function namedWire(type: Parameters<typeof toWire>[0]): InstanceTypeWire & { Name: string; Scratch: number } {
  return { Name: type.name, Scratch: type.scratchBytes, ...toWire(type) };
}

function legacyRecord({ container }: QueueEntry): Record<string, unknown> {
  const { constraints, scheduling } = container;
  return {
    uuid: container.uuid,
    state: container.state,
    priority: Number(container.priority),
    runtime_constraints: {
      ram: constraints.ramBytes,
      vcpus: constraints.vcpus,
      keep_cache_ram: constraints.keepCacheRamBytes,
      keep_cache_disk: constraints.keepCacheDiskBytes,
      gpu: {
        stack: constraints.gpu.stack,
        driver_version: constraints.gpu.driverVersion,
        hardware_target: constraints.gpu.hardwareTarget,
        device_count: constraints.gpu.deviceCount,
        vram: constraints.gpu.vramBytes,
      },
    },
    container_image: container.image,
    scheduling_parameters: { preemptible: scheduling.preemptible, supervisor: scheduling.supervisor },
    created_at: timeOf(container.createdAt),
  };
}

/** Returns what an instance did that it must not; `null`: nothing. */
function conductBody({ strikes, claimsRefused, bytesLeftOut }: InstanceConduct): object | null {
  if (Object.keys(strikes).length === 0 && claimsRefused === 0 && bytesLeftOut === 0) return null;
  return { strikes, claimsRefused, bytesLeftOut };
}

/** Returns an instance of `/v1/instances`. */
export function instanceBody(view: InstanceView, conduct?: InstanceConduct): Record<string, unknown> {
  const quarantine = conduct?.quarantine ?? view.quarantine;
  return {
    instance: view.instanceId,
    launch: view.launchId,
    address: view.address,
    type: view.instanceType.name,
    providerType: view.instanceType.providerType,
    state: view.workerState,
    bootStage: view.bootStage ?? null,
    isOrphan: view.isOrphan ?? false,
    isBeingSetUp: view.isBeingSetUp ?? false,
    idleBehavior: view.idleBehavior,
    quarantine: quarantine ? { since: timeOf(quarantine.at), because: quarantine.because } : null,
    conduct: conduct ? conductBody(conduct) : null,
    price: view.instanceType.price,
    containers: view.containerUuids,
    lastContainer: view.lastContainerUuid,
    lastBusyAt: timeOf(view.lastBusyAt === 0 ? undefined : view.lastBusyAt),
    appearedAt: timeOf(view.appearedAt),
  };
}

/** Returns a container of `/v1/containers`. */
export function containerBody(
  record: ContainerRecord,
  wait: WaitReason | undefined,
): Record<string, unknown> {
  const reason = wait ?? waitBeyondPlan(record);
  return {
    uuid: record.uuid,
    name: record.name,
    state: record.state,
    priority: record.priority.toString(),
    command: record.command,
    env: record.env,
    image: record.image,
    cwd: record.cwd,
    resources: {
      vcpus: record.constraints.vcpus,
      ramBytes: record.constraints.ramBytes,
      scratchBytes: record.tmpMountBytes,
      gpus: record.constraints.gpu.deviceCount,
    },
    preemptible: record.scheduling.preemptible,
    supervisor: record.scheduling.supervisor,
    onDemandFallback: record.scheduling.onDemandFallback ?? null,
    retry: record.scheduling.retry ?? null,
    maxRunTimeMs: record.scheduling.maxRunTimeMs,
    attempts: record.attempts,
    maxAttempts: record.maxAttempts,
    instance: record.instanceId,
    instanceType: record.instanceTypeName,
    createdAt: timeOf(record.createdAt),
    startedAt: timeOf(record.startedAt),
    finishedAt: timeOf(record.finishedAt),
    exitCode: record.exitCode ?? null,
    error: record.error,
    cost: record.cost ?? null,
    wait: reason ? waitBody(reason) : null,
  };
}

/** Returns the wait reason, the position in the queue, and what the container waits for. */
export function waitBody(wait: WaitReason): Record<string, unknown> {
  return {
    code: wait.code,
    text: describeWait(wait),
    position: positionOf(wait) ?? null,
    unblocks: unblocks(wait),
  };
}
