import { noConstraints, type Container, type ContainerState } from '../../src/domain/container.js';
import type { WorkerState } from '../../src/domain/instance.js';
import { noGpu, type GpuSpec, type InstanceType } from '../../src/domain/instance-type.js';
import { sizeContainer } from '../../src/policy/choose-types.js';
import { initialPlanMemory, type PlanMemory } from '../../src/policy/container-limit.js';
import { plan, type Plan, type PlanAction, type RoomAtQuota } from '../../src/policy/plan.js';
import type { InstanceView, RunningView } from '../../src/domain/instance-view.js';
import type { QueueEntry } from '../../src/domain/queue-entry.js';

export const gibibyte = 2 ** 30;

/** Type tN of the oracle: N VCPUs, N × 1.1 GiB RAM, N GiB scratch, N × 0.123 dollars. */
export function typeT(n: number, change: Partial<InstanceType> = {}): InstanceType {
  const ramBytes = Math.floor(n * 1.1 * gibibyte);
  return {
    name: `t${n}`,
    providerType: `pt${n}`,
    vcpus: n,
    ramBytes,
    scratchBytes: n * gibibyte,
    includedScratchBytes: n * gibibyte,
    addedScratchBytes: 0,
    price: n * 0.123,
    preemptible: false,
    gpu: noGpu,
    ...change,
  };
}

export interface Wish {
  vcpus?: number;
  ram?: number;
  scratch?: number;
  cacheRam?: number;
  cacheDisk?: number;
  state?: ContainerState;
  priority?: bigint;
  preemptible?: boolean;
  supervisor?: boolean;
  onDemandFallback?: boolean;
  notBeforeAt?: number;
  gpu?: Partial<Container['constraints']['gpu']>;
  image?: string;
}

export function container(n: number, wish: Wish = {}): Container {
  return {
    uuid: `zzzzz-dz642-${String(n).padStart(15, '0')}`,
    state: wish.state ?? 'Locked',
    priority: wish.priority ?? BigInt(n),
    constraints: {
      ...noConstraints,
      vcpus: wish.vcpus ?? 1,
      ramBytes: wish.ram ?? gibibyte,
      keepCacheRamBytes: wish.cacheRam ?? 0,
      keepCacheDiskBytes: wish.cacheDisk ?? 0,
      gpu: { ...noConstraints.gpu, ...wish.gpu },
    },
    scheduling: {
      preemptible: wish.preemptible ?? false,
      supervisor: wish.supervisor ?? false,
      maxRunTimeMs: 0,
      ...(wish.onDemandFallback === undefined ? {} : { onDemandFallback: wish.onDemandFallback }),
      ...(wish.notBeforeAt === undefined ? {} : { notBeforeAt: wish.notBeforeAt }),
    },
    image: wish.image ?? '',
    tmpMountBytes: wish.scratch ?? 0,
    createdAt: n,
  };
}

export const bare = { reserveExtraRamBytes: 0, localKeepBlobBuffersPerVcpu: 0, maximumPriceFactor: 1 };

/** A queue, a fleet and limits, for one pass after another. */
export class SchedulingWorld {
  readonly entries = new Map<string, QueueEntry>();
  readonly running = new Map<string, RunningView>();
  instances: InstanceView[] = [];
  atQuota = false;
  full = new Set<string>();
  onTrial = new Set<string>();
  isFull: (type: InstanceType) => boolean = (type) => this.full.has(type.name);
  protection: { because: string; until: number | undefined } | undefined;
  isOnTrial: (type: InstanceType) => boolean = ({ name }) => this.onTrial.has(name);
  room: RoomAtQuota = 'vcpus';
  quotaHold: { because: string; until: number | undefined } | undefined;
  capacityHold: { key: string; until: number | undefined } | undefined;
  creatable = Infinity;
  memory: PlanMemory = initialPlanMemory({ initialQuotaEstimate: 0 }, 10);
  readonly avoided = new Map<string, ReadonlyMap<string, number>>();
  maxPerInstance = 0;
  maxInLife = 0;
  supervisorFraction = 0.2;
  last503At = 0;
  now = 1_000_000;
  readonly #types: InstanceType[];
  readonly #factor: number;

  constructor(types: InstanceType[], factor = 1) {
    this.#types = types;
    this.#factor = factor;
  }

  add(...containers: Container[]): this {
    for (const each of containers) {
      const sizing = sizeContainer(each, this.#types, { ...bare, maximumPriceFactor: this.#factor });
      if ('unsatisfiable' in sizing) throw new Error(sizing.unsatisfiable);
      this.entries.set(each.uuid, { container: each, ...sizing, firstSeenAt: each.createdAt });
    }
    return this;
  }

  /** An instance of the type of that name, with these containers alive on it. */
  instance(typeName: string, workerState: WorkerState = 'idle', ...alive: number[]): InstanceView {
    const containerUuids = alive.map((n) => container(n).uuid);
    const instanceId = `i-${this.instances.length + 1}`;
    const view: InstanceView = {
      instanceId,
      launchId: '',
      address: '',
      instanceType: this.#types.find(({ name }) => name === typeName)!,
      workerState,
      bootStage: undefined,
      idleBehavior: 'run',
      lastContainerUuid: '',
      lastBusyAt: this.instances.length,
      appearedAt: 0,
      served: 0,
      containerUuids,
    };
    for (const uuid of containerUuids)
      this.running.set(uuid, { instanceId, phase: 'running', exitedAt: undefined });
    this.instances.push(view);
    return view;
  }

  /** The container runs on that instance from now on. */
  occupy(instanceId: string, uuid: string): void {
    const view = this.instances.find((each) => each.instanceId === instanceId)!;
    view.containerUuids = [...view.containerUuids, uuid];
    view.workerState = 'running';
    this.running.set(uuid, { instanceId, phase: 'running', exitedAt: undefined });
  }

  /** Types the cloud never has, and the number of instances it allows. */
  readonly lacking = new Set<string>();
  quota = Infinity;

  /** What a quick cloud and a quick queue make of the orders. */
  live({ actions }: Plan): void {
    for (const action of actions) {
      if (action.kind === 'create') this.#make(action.instanceType.name);
      if (action.kind === 'start') this.occupy(action.instanceId, action.uuid);
      if (action.kind !== 'lock' && action.kind !== 'unlock') continue;
      const entry = this.entries.get(action.uuid)!;
      const state = action.kind === 'lock' ? 'Locked' : 'Queued';
      this.entries.set(action.uuid, { ...entry, container: { ...entry.container, state } });
    }
  }

  #make(name: string): void {
    if (this.lacking.has(name)) this.full.add(name);
    else if (this.instances.length >= this.quota) this.atQuota = true;
    else this.instance(name);
  }

  pass(): Plan {
    const result = plan({
      now: this.now,
      entries: this.entries,
      instances: this.instances,
      running: this.running,
      limits: {
        atQuota: this.atQuota,
        atCapacity: (type) => this.isFull(type),
        isOnTrial: (type) => this.isOnTrial(type),
        room: this.room,
        quotaHold: this.quotaHold,
        capacityHold: () => this.capacityHold,
        creatable: this.creatable,
        createHeldUntil: undefined,
        protection: this.protection,
      },
      settings: {
        supervisorFraction: this.supervisorFraction,
        maxRunningContainersPerInstance: this.maxPerInstance,
      },
      maxContainersPerInstance: this.maxInLife,
      avoided: (uuid) => this.avoided.get(uuid),
      memory: this.memory,
      last503At: this.last503At,
      totalInstances: this.instances.length,
    });
    this.memory = result.memory;
    return result;
  }
}

/** The numbers of the containers, or the names of the types, that the plan has actions of this kind for. */
export function acted(result: Plan, kind: PlanAction['kind']): (number | string)[] {
  return result.actions.flatMap((action): (number | string)[] => {
    if (action.kind !== kind) return [];
    if (action.kind === 'create') return [action.instanceType.name];
    return 'uuid' in action ? [Number(action.uuid.slice(-15))] : [action.instanceId];
  });
}

/** Why the container waits. */
export function waitOf(result: Plan, n: number): Plan['waits'][number] {
  return result.waits[result.order.findIndex((entry) => entry.container.uuid === container(n).uuid)];
}

export function gpuOf(change: Partial<GpuSpec>): GpuSpec {
  return {
    stack: 'cuda',
    driverVersion: '11.0',
    hardwareTarget: '9.0',
    deviceCount: 1,
    vramBytes: 2e9,
    ...change,
  };
}
