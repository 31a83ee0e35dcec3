import type { InstanceType } from '../domain/instance-type.js';
import { creatableWithinQuota, nextPlanMemory, supervisorLimit, type PlanMemory } from './container-limit.js';
import { PlannedInstances, type AvoidedInstances } from './planned-instances.js';
import { inOrder, type QueueOrder } from './queue-order.js';
import type { WaitReason } from './wait-reason.js';
import type { InstanceView, RunningView } from '../domain/instance-view.js';
import type { QueueEntry } from '../domain/queue-entry.js';
import type { SchedulerSettings } from './scheduler-settings.js';

export interface PlanInput {
  now: number;
  entries: ReadonlyMap<string, QueueEntry>;
  /** The entries in order, where the caller knows it. */
  order?: QueueOrder;
  instances: readonly InstanceView[];
  running: ReadonlyMap<string, RunningView>;
  limits: {
    atQuota: boolean;
    atCapacity(type: InstanceType): boolean;
    /** One instance of the type may be asked for, and no more until that is answered. */
    isOnTrial(type: InstanceType): boolean;
    /** How many create calls would be accepted now. */
    creatable: number;
    createHeldUntil: number | undefined;
    /** What may be given up at quota for those that need another type; not given: `vcpus`. */
    room?: RoomAtQuota;
    /** Why no instance may be made at quota, and until when; for people. */
    quotaHold?: { because: string; until: number | undefined } | undefined;
    /** The breaker that says that the type cannot be had, and until when; for people. */
    capacityHold?(type: InstanceType): { key: string; until: number | undefined } | undefined;
    /** Protected mode: nothing is asked for until then. */
    protection?: { because: string; until: number | undefined } | undefined;
  };
  /** The instances that failed a container; not given: none. */
  avoided?: AvoidedInstances;
  settings: Pick<SchedulerSettings, 'supervisorFraction' | 'maxRunningContainersPerInstance'>;
  /** How many containers an instance may have in its life; 0 or not given: any number. */
  maxContainersPerInstance?: number;
  memory: PlanMemory;
  /** Epoch ms of the server's last overload reply; 0: never. */
  last503At: number;
  /** Known workers, without the ones being created. */
  totalInstances: number;
}

/**
 * `vcpus`: as many VCPUs as the new instance has, for the provider may count those; `one`: one instance; `held`: none,
 * as a trial is under way or the last time was in vain.
 */
export type RoomAtQuota = 'vcpus' | 'one' | 'held';

export type PlanAction =
  | { kind: 'lock'; uuid: string; because: string }
  | { kind: 'unlock'; uuid: string; because: string }
  | { kind: 'start'; uuid: string; instanceId: string; because: string }
  | { kind: 'create'; uuid: string; instanceType: InstanceType; because: string }
  | { kind: 'shutdown'; instanceId: string; because: string };

export interface Plan {
  /** To be carried out in this order. */
  actions: PlanAction[];
  /** The scheduler's order of all entries (H-10). */
  order: readonly QueueEntry[];
  /** By position in `order`; `undefined` for one that does not wait. */
  waits: readonly (WaitReason | undefined)[];
  allocatedNotStarted: number;
  /** How many wait for quota, or for other workflow runners to end (SC-66). */
  overQuota: number;
  /** Some wait for quota: nothing is to take what there is from them. */
  isCrowded: boolean;
  /** Those that may disagree with the pool: all but the queued ones that just wait. */
  notable: readonly QueueEntry[];
  memory: PlanMemory;
  /**
   * Instances in service or on their way without a container, real or planned: to be read before anybody reads the
   * reasons; and what may still be asked for.
   */
  spare: { unused: readonly InstanceView[]; creatable: number };
  /** Idle instances that do not hold a container though their type should: a wrong setting or a bug (SC-61). */
  suspects: readonly { instanceId: string; uuid: string }[];
}

/** One scheduling pass: pure, so that the same world always gives the same orders (SC-10..SC-82). */
export function plan(input: PlanInput): Plan {
  return new Pass(input).run();
}

/** A queued one must wait for what is left of an earlier attempt, and so must one whose process has ended. */
function servedReason(state: string, { exitedAt }: RunningView): WaitReason {
  return state === 'Queued' || exitedAt !== undefined ? { code: 'previous-attempt' } : { code: 'preparing' };
}

/** So many queued containers are looked through for one that locked ones stand in the way of. */
const mostNewcomers = 1_000;

/** Of what counts as one type for the provider. */
function capacityKey({ providerType, preemptible }: InstanceType): string {
  return `${providerType} ${preemptible}`;
}

class Pass {
  readonly #input: PlanInput;
  readonly #memory: PlanMemory;
  readonly #order: QueueOrder;
  readonly #waits: (WaitReason | undefined)[];
  readonly #actions: PlanAction[] = [];
  #planned: PlannedInstances | undefined;
  readonly #atCapacity = new Map<string, boolean>();
  readonly #maxSupervisors: number;
  readonly #overSupervisors: QueueEntry[] = [];
  /** Over quota, but instances that nobody uses are making room for them. */
  #awaitingRoom = 0;
  /** Up to here the entries were considered. */
  #cursor = 0;
  /** From here on they are over quota. */
  #end = Infinity;
  #isExplained = false;
  #trying: number;
  #supervisors = 0;
  #position = 0;
  #creatable: number;
  #allocatedNotStarted = 0;

  constructor(input: PlanInput) {
    this.#input = input;
    const { entries, instances, running, settings, limits, memory, now, last503At, totalInstances } = input;
    let alive = 0;
    for (const view of running.values()) if (view.exitedAt === undefined) alive++;
    const { atQuota } = limits;
    this.#memory = nextPlanMemory(memory, { now, running: alive, totalInstances, atQuota, last503At });
    this.#order = input.order ?? inOrder(entries, running);
    this.#waits = new Array<WaitReason | undefined>(this.#order.entries.length);
    this.#maxSupervisors = supervisorLimit(this.#memory.maxContainers, settings.supervisorFraction);
    this.#trying = alive;
    const present = totalInstances + instances.filter(({ instanceId }) => instanceId === '').length;
    this.#creatable = Math.min(limits.creatable, creatableWithinQuota(this.#memory, present));
  }

  /** Made when somebody waits for a place: most passes find nobody. */
  get #instances(): PlannedInstances {
    const { instances, entries, settings, maxContainersPerInstance = 0, avoided, now } = this.#input;
    return (this.#planned ??= new PlannedInstances(instances, entries, {
      atOnce: settings.maxRunningContainersPerInstance,
      inLife: maxContainersPerInstance,
      now,
      ...(avoided && { avoided }),
    }));
  }

  run(): Plan {
    const pass = this as Pass;
    this.#walk();
    this.#unlockExcess();
    return {
      actions: this.#actions,
      order: this.#order.entries,
      get waits() {
        return pass.#explained();
      },
      allocatedNotStarted: this.#allocatedNotStarted,
      get overQuota() {
        pass.#explained();
        const beyond = Math.max(0, pass.#waits.length - pass.#end);
        return beyond + pass.#awaitingRoom + pass.#overSupervisors.length;
      },
      isCrowded: this.#end < this.#waits.length || this.#awaitingRoom > 0,
      notable: this.#order.notable,
      memory: this.#memory,
      spare: {
        get unused() {
          return pass.#instances.unused().map(({ view }) => view);
        },
        creatable: this.#creatable,
      },
      suspects: this.#planned?.suspects ?? [],
    };
  }

  /**
   * Ends where the rest is over quota, or where nobody after can get anything: in a long queue that is soon, and the
   * reasons of the others are worked out when somebody asks for them.
   */
  #walk(toTheEnd = false): void {
    const { entries, firstIdle } = this.#order;
    for (; this.#cursor < Math.min(entries.length, this.#end); this.#cursor++) {
      if (!toTheEnd && this.#cursor >= firstIdle && this.#isAtLimit()) return;
      const verdict = this.#consider(entries[this.#cursor]!);
      if (verdict === 'stop') this.#end = this.#cursor;
      else this.#waits[this.#cursor] = verdict;
    }
  }

  #isAtLimit(): boolean {
    const { maxContainers } = this.#memory;
    return maxContainers > 0 && this.#trying >= maxContainers;
  }

  #consider(entry: QueueEntry): WaitReason | undefined | 'stop' {
    const { uuid, state, priority, scheduling } = entry.container;
    const process = this.#input.running.get(uuid);
    const isAlive = process !== undefined;
    const isWaiting = state === 'Queued' || state === 'Locked';
    if (scheduling.supervisor && (isAlive || (isWaiting && priority > 0n))) this.#supervisors++;
    if (process) return isWaiting ? servedReason(state, process) : undefined;
    if (!isWaiting) return undefined;
    if (priority < 1n) return { code: 'priority-zero', state };
    if (scheduling.supervisor && this.#maxSupervisors > 0 && this.#supervisors > this.#maxSupervisors) {
      this.#overSupervisors.push(entry);
      return { code: 'supervisor-limit', position: this.#overSupervisors.length };
    }
    const { notBeforeAt = 0 } = scheduling;
    if (notBeforeAt > this.#input.now) return { code: 'backing-off', until: notBeforeAt };
    if (this.#isAtLimit()) return this.#beyondLimit(entry);
    return state === 'Queued' ? this.#considerQueued(entry) : this.#considerLocked(entry);
  }

  /** For a locked one that could not run anyway, the lack of instances is the better reason. */
  #beyondLimit(entry: QueueEntry): WaitReason | undefined {
    if (entry.container.state !== 'Locked' || this.#input.limits.atQuota) return undefined;
    return this.#availableType(entry) || this.#instances.best(entry)
      ? undefined
      : this.#typesAtCapacity(entry);
  }

  #considerQueued(entry: QueueEntry): WaitReason | undefined | 'stop' {
    const { uuid } = entry.container;
    const best = this.#instances.best(entry);
    if (!best) {
      const instanceType = this.#availableType(entry);
      if (!instanceType || this.#input.limits.atQuota) {
        const avoiding = this.#avoiding(entry);
        if (avoiding) return avoiding;
      }
      if (!instanceType) return this.#typesAtCapacity(entry);
      if (this.#input.limits.atQuota) return this.#makeRoom(instanceType);
    }
    this.#trying++;
    if (best) this.#instances.place(best, entry);
    this.#actions.push({ kind: 'lock', uuid, because: 'it is its turn' });
    return { code: 'locking' };
  }

  #considerLocked(entry: QueueEntry): WaitReason | undefined | 'stop' {
    const { uuid } = entry.container;
    const best = this.#instances.best(entry);
    if (best) {
      this.#trying++;
      this.#instances.place(best, entry);
      const { instanceId, workerState, instanceType } = best.view;
      if (instanceId === '' || (workerState !== 'idle' && workerState !== 'running')) {
        this.#allocatedNotStarted++;
        return { code: 'new-instance', instanceType: instanceType.name };
      }
      this.#actions.push({ kind: 'start', uuid, instanceId, because: `it fits on ${instanceType.name}` });
      return { code: 'preparing' };
    }
    const instanceType = this.#availableType(entry);
    if (!instanceType || this.#input.limits.atQuota) {
      const avoiding = this.#avoiding(entry);
      if (avoiding) return avoiding;
    }
    if (!instanceType) return this.#typesAtCapacity(entry);
    if (this.#input.limits.atQuota) return this.#makeRoom(instanceType);
    this.#trying++;
    if (this.#creatable < 1) return this.#uncreatable();
    this.#creatable--;
    this.#allocatedNotStarted++;
    this.#claimTrial(instanceType);
    this.#instances.addNew(instanceType, entry, this.#input.now);
    this.#actions.push({
      kind: 'create',
      uuid,
      instanceType,
      because: `container ${uuid} fits on no instance there is`,
    });
    return { code: 'new-instance', instanceType: instanceType.name };
  }

  /**
   * At quota, instances that nobody uses make way for one that needs another type. Only when there are too few of them
   * does everyone after it wait as well, or smaller ones would keep the instances busy that it waits for (SC-53, SC-82);
   * not for a type that was lacking last.
   */
  #makeRoom(instanceType: InstanceType): undefined | 'stop' {
    const { room = 'vcpus', isOnTrial } = this.#input.limits;
    if (room === 'held') return this.#awaitRoom(this.#instances.hasRoom());
    const isTrial = isOnTrial(instanceType);
    this.#claimTrial(instanceType);
    const { victims, isEnough } = this.#instances.makeRoom(
      room === 'one' ? 1 : Math.max(1, instanceType.vcpus),
    );
    for (const { instanceId } of victims) {
      const because = `at quota, and ${instanceType.name} is needed first`;
      this.#actions.push({ kind: 'shutdown', instanceId, because });
    }
    return this.#awaitRoom(isEnough || isTrial);
  }

  #awaitRoom(mayOthersGoOn: boolean): undefined | 'stop' {
    if (!mayOthersGoOn) return 'stop';
    this.#awaitingRoom++;
    return undefined;
  }

  /** No other instance can be had for it than one that failed it a moment ago: that one is tried again after a pause. */
  #avoiding(entry: QueueEntry): WaitReason | undefined {
    const until = this.#instances.avoidedUntil(entry);
    return until === undefined ? undefined : { code: 'avoiding', until };
  }

  #typesAtCapacity(entry: QueueEntry): WaitReason {
    const instanceTypes = entry.instanceTypes.map(({ name }) => name).join(', ');
    return {
      code: 'types-at-capacity',
      position: ++this.#position,
      instanceTypes,
      ...this.#nextTrial(entry),
    };
  }

  /** The breaker of its types that is tried again first. */
  #nextTrial({ instanceTypes }: QueueEntry): { breaker?: string; until?: number | undefined } {
    const { capacityHold } = this.#input.limits;
    const holds = instanceTypes.flatMap((type) => capacityHold?.(type) ?? []);
    const [first] = holds.sort((a, b) => (a.until ?? 0) - (b.until ?? 0));
    return first ? { breaker: first.key, until: first.until } : {};
  }

  #uncreatable(): WaitReason {
    const { createHeldUntil: retryAt, protection } = this.#input.limits;
    const position = ++this.#position;
    return protection ? { code: 'protected', position, ...protection } : { code: 'paced', position, retryAt };
  }

  /** Answers are kept for the pass, so that nobody overtakes one who was declined (SC-65). */
  #availableType(entry: QueueEntry): InstanceType | undefined {
    return entry.instanceTypes.find((type) => {
      const key = capacityKey(type);
      let isFull = this.#atCapacity.get(key);
      if (isFull === undefined) {
        isFull = this.#input.limits.atCapacity(type);
        this.#atCapacity.set(key, isFull);
      }
      return !isFull;
    });
  }

  /** What is on trial is there for one container of the pass. */
  #claimTrial(type: InstanceType): void {
    if (this.#input.limits.isOnTrial(type)) this.#atCapacity.set(capacityKey(type), true);
  }

  /** Those without a reason wait for a limit; positions go on from the ones at capacity (SC-67). */
  #explained(): readonly (WaitReason | undefined)[] {
    if (this.#isExplained) return this.#waits;
    this.#isExplained = true;
    this.#walk(true);
    const { atQuota, quotaHold } = this.#input.limits;
    for (const [index, { container }] of this.#order.entries.entries()) {
      const { uuid, state } = container;
      if (this.#waits[index] || (state !== 'Queued' && state !== 'Locked')) continue;
      if (index >= this.#end && this.#input.running.has(uuid)) continue;
      const position = ++this.#position;
      this.#waits[index] = atQuota
        ? { code: 'cloud-limit', position, ...quotaHold }
        : { code: 'cluster-limit', position };
    }
    return this.#waits;
  }

  /**
   * Who is locked waits for quota as well as one that is queued, and giving the lock up may cost an attempt: only those
   * give it up that stand in the way of a newcomer of higher priority (SC-12, SC-81). The first in line keeps it for as
   * long as there is any instance (SC-80).
   */
  #unlockExcess(): void {
    const { entries, firstIdle } = this.#order;
    const skip = this.#awaitingRoom === 0 ? 1 : 0;
    const overQuota = this.#end === Infinity ? [] : entries.slice(this.#end + skip, firstIdle);
    const newcomer = overQuota.length === 0 ? undefined : this.#firstNewcomer();
    const inTheWay = overQuota.filter(
      ({ container }) => newcomer !== undefined && container.priority < newcomer,
    );
    const first =
      this.#end < entries.length && this.#input.instances.length === 0 ? [entries[this.#end]!] : [];
    for (const { container } of new Set([...this.#overSupervisors, ...first, ...inTheWay])) {
      if (container.state !== 'Locked' || this.#input.running.has(container.uuid)) continue;
      this.#actions.push({
        kind: 'unlock',
        uuid: container.uuid,
        because: 'no room for it within the limits',
      });
    }
  }

  /** The priority of the first that is queued and could have an instance if there were quota. */
  #firstNewcomer(): bigint | undefined {
    const { entries, firstIdle } = this.#order;
    const first = entries.slice(firstIdle, firstIdle + mostNewcomers).find((entry) => {
      const { state, priority, scheduling } = entry.container;
      if (state !== 'Queued' || priority < 1n || (scheduling.notBeforeAt ?? 0) > this.#input.now)
        return false;
      return this.#availableType(entry) !== undefined;
    });
    return first?.container.priority;
  }
}
