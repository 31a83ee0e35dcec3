import type { InstanceType } from '../domain/instance-type.js';
import type { ResourceNeeds } from '../domain/container.js';
import { accommodates, capacityOf, noCapacity, place, type Capacity } from './capacity.js';
import type { InstanceView } from '../domain/instance-view.js';
import type { QueueEntry } from '../domain/queue-entry.js';

/** An instance during one pass: what is left of it, and how many containers it has or is planned to have. */
export interface PlannedInstance {
  readonly view: InstanceView;
  readonly capacity: Capacity;
  containers: number;
  /** How many more it may have in its life. */
  left: number;
}

/** How many containers an instance may have; 0: any number. */
export interface InstanceLimits {
  atOnce: number;
  inLife: number;
}

/**
 * The instances that failed a container, by id, each with the time (epoch ms) until which it is not used for it at all;
 * after that it is used when no other can take the container.
 */
export type AvoidedInstances = (uuid: string) => ReadonlyMap<string, number> | undefined;

const usable: ReadonlySet<string> = new Set(['unknown', 'booting', 'idle', 'running']);

/** The instances of one pass, best place first (SC-11, SC-13, SC-60..SC-63). */
export class PlannedInstances {
  readonly #all: PlannedInstance[] = [];
  readonly #byType = new Map<string, PlannedInstance[]>();
  readonly #limits: InstanceLimits;
  /** Shapes no instance can take any more: within a pass room only shrinks, until an instance is added. */
  readonly #hopeless = new Set<string>();
  readonly #suspects = new Map<string, string>();
  readonly #avoided: AvoidedInstances;
  readonly #now: number;
  /** What may still be taken out of service for those over quota. */
  #room: PlannedInstance[] | undefined;

  constructor(
    views: readonly InstanceView[],
    entries: ReadonlyMap<string, QueueEntry>,
    limits: InstanceLimits & { avoided?: AvoidedInstances; now?: number },
  ) {
    this.#limits = limits;
    this.#avoided = limits.avoided ?? (() => undefined);
    this.#now = limits.now ?? 0;
    for (const view of views) {
      const containers = view.containerUuids.length;
      const capacity = remaining(view, entries);
      // Nothing can be placed there, and it makes no room for anybody.
      if (containers > 0 && capacity.vcpus <= 0) continue;
      this.#all.push({ view, capacity: { ...capacity }, containers, left: this.#lifeOf(view) });
    }
    this.#all.sort(byPlace);
    for (const instance of this.#all) {
      const { workerState, idleBehavior, isOrphan, isBeingSetUp } = instance.view;
      const isUsable = usable.has(workerState) && !isOrphan && !isBeingSetUp;
      if (isUsable && idleBehavior === 'run') this.#index(instance);
    }
  }

  /** Idle instances too small for a container of their type (SC-61). */
  get suspects(): { instanceId: string; uuid: string }[] {
    return Array.from(this.#suspects, ([instanceId, uuid]) => ({ instanceId, uuid }));
  }

  /** The instance that should take the container, or `undefined`. */
  best(entry: QueueEntry): PlannedInstance | undefined {
    const shape = shapeKey(entry.needs, entry.instanceTypes);
    if (this.#hopeless.has(shape)) return undefined;
    const avoided = this.#avoided(entry.container.uuid);
    let best: PlannedInstance | undefined;
    let second: PlannedInstance | undefined;
    let isHopeless = true;
    for (const instance of this.#fitting(entry)) {
      isHopeless = false;
      const until = avoided?.get(instance.view.instanceId);
      if (until === undefined) best = !best || isBetter(instance, best) ? instance : best;
      else if (until <= this.#now) second ??= instance;
    }
    if (isHopeless) this.#hopeless.add(shape);
    return best ?? second;
  }

  /** When the first of the instances that would take the container, but failed it a while ago, is tried again. */
  avoidedUntil(entry: QueueEntry): number | undefined {
    const avoided = this.#avoided(entry.container.uuid);
    if (!avoided) return undefined;
    const times = [...this.#fitting(entry)].map(({ view }) => avoided.get(view.instanceId) ?? Infinity);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  *#fitting(entry: QueueEntry): Generator<PlannedInstance> {
    for (const type of inPlaceOrder(entry.instanceTypes)) {
      for (const instance of this.#byType.get(type.name) ?? []) {
        if (instance.left < 1 || this.#isFull(instance)) continue;
        if (accommodates(instance.capacity, entry.needs)) yield instance;
        else this.#suspect(instance, entry);
      }
    }
  }

  place(instance: PlannedInstance, { needs }: QueueEntry): void {
    place(instance.capacity, needs);
    instance.containers++;
    instance.left--;
  }

  /** An instance that is about to be asked for, with its first container on it (SC-56). */
  addNew(instanceType: InstanceType, entry: QueueEntry, now: number): void {
    const view: InstanceView = {
      instanceId: '',
      launchId: '',
      address: '',
      instanceType,
      workerState: 'booting',
      bootStage: 'requested',
      idleBehavior: 'run',
      lastContainerUuid: '',
      lastBusyAt: 0,
      appearedAt: now,
      served: 0,
      containerUuids: [],
    };
    const instance = { view, capacity: capacityOf(instanceType), containers: 0, left: this.#lifeOf(view) };
    this.place(instance, entry);
    this.#all.push(instance);
    this.#index(instance);
    this.#hopeless.clear();
  }

  /** Those in service or on their way without a container, real or planned; longest idle first. */
  unused(): PlannedInstance[] {
    return this.#all
      .filter(({ view, containers }) => containers === 0 && usable.has(view.workerState) && !view.isOrphan)
      .sort((a, b) => a.view.lastBusyAt - b.view.lastBusyAt);
  }

  /**
   * Takes instances without a container out of service for one that needs so many VCPUs, those already shutting down
   * first, and each for one container only: what limits the cloud may count instances as well as VCPUs.
   */
  makeRoom(vcpus: number): { victims: InstanceView[]; isEnough: boolean } {
    this.#room ??= [
      ...this.#all.filter(({ view }) => view.workerState === 'shutdown'),
      ...this.unused(),
    ].filter(
      ({ view }) => view.instanceId !== '' && view.workerState !== 'unknown' && view.idleBehavior !== 'hold',
    );
    const victims: InstanceView[] = [];
    let freed = 0;
    while (freed < vcpus) {
      const instance = this.#room.shift();
      if (!instance) return { victims, isEnough: false };
      if (instance.containers > 0) continue;
      freed += instance.view.instanceType.vcpus;
      instance.left = 0;
      if (instance.view.workerState !== 'shutdown') victims.push(instance.view);
    }
    return { victims, isEnough: true };
  }

  /** Some instance may take a container still, if only a small one. */
  hasRoom(): boolean {
    for (const instances of this.#byType.values()) {
      if (instances.some((each) => each.left >= 1 && !this.#isFull(each) && each.capacity.vcpus > 0))
        return true;
    }
    return false;
  }

  #isFull({ containers }: PlannedInstance): boolean {
    const { atOnce } = this.#limits;
    return atOnce > 0 && containers >= atOnce;
  }

  #lifeOf({ served }: InstanceView): number {
    const { inLife } = this.#limits;
    return inLife === 0 ? Infinity : inLife - served;
  }

  #suspect({ view, containers }: PlannedInstance, { container }: QueueEntry): void {
    if (containers === 0 && view.workerState === 'idle') this.#suspects.set(view.instanceId, container.uuid);
  }

  #index(instance: PlannedInstance): void {
    const { name } = instance.view.instanceType;
    const sameType = this.#byType.get(name);
    if (sameType) sameType.push(instance);
    else this.#byType.set(name, [instance]);
  }
}

/** More containers first, then one in service before one that is not; the order of the instances decides else (SC-62). */
function isBetter(a: PlannedInstance, b: PlannedInstance): boolean {
  if (a.containers !== b.containers) return a.containers > b.containers;
  return isInService(a) && !isInService(b);
}

function isInService({ view }: PlannedInstance): boolean {
  return view.workerState === 'idle' || view.workerState === 'running';
}

/** By the list of containers, which is another one whenever it changed; what a container needs never changes. */
const known = new WeakMap<readonly string[], Capacity>();

/** What is left of an instance. Not to be changed. */
function remaining(
  { instanceType, containerUuids }: InstanceView,
  entries: ReadonlyMap<string, QueueEntry>,
): Readonly<Capacity> {
  const before = known.get(containerUuids);
  if (before) return before;
  const capacity = capacityOf(instanceType);
  for (const uuid of containerUuids) {
    const entry = entries.get(uuid);
    if (!entry) return noCapacity;
    place(capacity, entry.needs);
  }
  known.set(containerUuids, capacity);
  return capacity;
}

/** SC-11. */
function byPlace({ view: a }: PlannedInstance, { view: b }: PlannedInstance): number {
  return (
    byTypePlace(a.instanceType, b.instanceType) ||
    (a.instanceId < b.instanceId ? -1 : a.instanceId > b.instanceId ? 1 : 0)
  );
}

function byTypePlace(left: InstanceType, right: InstanceType): number {
  return (
    left.price - right.price ||
    right.vcpus - left.vcpus ||
    right.ramBytes - left.ramBytes ||
    right.scratchBytes - left.scratchBytes
  );
}

const placeOrders = new WeakMap<readonly InstanceType[], readonly InstanceType[]>();

/** The types a container may run on, as instances of them are looked through; not quite the order they are bought in. */
function inPlaceOrder(types: readonly InstanceType[]): readonly InstanceType[] {
  let ordered = placeOrders.get(types);
  if (!ordered) placeOrders.set(types, (ordered = [...types].sort(byTypePlace)));
  return ordered;
}

const shapes = new WeakMap<ResourceNeeds, string>();

function shapeKey(needs: ResourceNeeds, types: readonly InstanceType[]): string {
  let shape = shapes.get(needs);
  if (shape === undefined) {
    const { vcpus, ramBytes, scratchBytes, gpus, gpuVramBytes } = needs;
    const names = types.map(({ name }) => name).join(',');
    shape = `${vcpus} ${ramBytes} ${scratchBytes} ${gpus} ${gpuVramBytes} ${names}`;
    shapes.set(needs, shape);
  }
  return shape;
}
