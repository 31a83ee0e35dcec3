import { createActor, fromPromise, type ActorRefFrom } from 'xstate';
import type { Clock } from '../domain/clock.js';
import type { Container } from '../domain/container.js';
import { dispatcherMachine, type DispatchPort } from '../machines/dispatcher.js';
import { initialPlanMemory, type PlanMemory } from '../policy/container-limit.js';
import { plan, type Plan, type PlanAction } from '../policy/plan.js';
import { QueueLine } from '../policy/incremental-queue-order.js';
import { placeOf, resolveDoubles, type Stray } from '../policy/claims.js';
import { disown, staleLocks, syncActions, type SyncAction } from '../policy/sync.js';
import type { WaitReason } from '../policy/wait-reason.js';
import type { Queue, RefusedClaim } from '../queue/queue.js';
import type { UpkeepSettings } from '../policy/maintenance.js';
import type { InstanceType } from '../domain/instance-type.js';
import { ContainerOperations, type OperationObserver } from './container-operations.js';
import type { Pool } from './pool.js';
import type { StartFailures } from './start-failures.js';
import { Upkeep, type QuarantineSight } from './maintenance.js';
import type { QueueEntry, QueueSnapshot } from '../domain/queue-entry.js';
import type { SchedulerSettings, WarmRule } from '../policy/scheduler-settings.js';

/** Told of each decision, and of what could not be carried out. None of these may throw. */
export interface DispatchObserver extends OperationObserver {
  fetchFailed(error: unknown): void;
  fetched?(): void;
  /** A pass ended; `failure`: the bug that ended it early. */
  passed?(failure?: { error: unknown }): void;
  /** An instance has a process of a container that the queue places on another one; told once. */
  claimRefused?(claim: RefusedClaim): void;
  /** An attempt ended on its instance without a result. */
  attemptFailed?(uuid: string, because: string): void;
  /** The queue has a container as Complete that this dispatcher dealt with. */
  attemptSucceeded?(uuid: string): void;
}

export interface DispatchOptions {
  clock: Clock;
  queue: Queue;
  pool: Pool;
  failures: StartFailures;
  settings: SchedulerSettings;
  maxInstances: number;
  upkeep: UpkeepSettings & { warm: readonly WarmRule[] };
  /** Default: no instance is in quarantine. */
  conduct?: QuarantineSight;
  typeNamed(name: string): InstanceType | undefined;
  /** Epoch ms of the server's last overload reply; 0: never. */
  last503At(): number;
  observer: DispatchObserver;
}

/** One container as the last pass saw it. */
export interface PlannedContainer {
  entry: QueueEntry;
  wait: WaitReason | undefined;
}

const peek = (queue: Queue): QueueSnapshot => queue.peek?.() ?? queue.entries();
const idlePassIntervalMs = 10_000;
/** For a large fleet longer, as a pass takes longer: passes are to leave time for everything else. */
const passPauseMs = { least: 5, perInstance: 0.05 };
/** Reported strays that are remembered. */
const mostDisowned = 10_000;

/** Runs scheduling passes when queue or pool change, and carries their decisions out (SC-*, SY-*, UL-*). */
export class Dispatch implements DispatchPort {
  readonly #options: DispatchOptions;
  readonly #upkeep: Upkeep;
  readonly #actor: ActorRefFrom<typeof dispatcherMachine>;
  readonly #operations: ContainerOperations;
  readonly #line = new QueueLine();
  readonly #killed = new Set<string>();
  readonly #suspected = new Set<string>();
  /** Strays that were reported. */
  readonly #disowned = new Set<string>();
  readonly #unsubscribe: (() => void)[] = [];
  #memory: PlanMemory;
  #plan: Plan | undefined;
  #lastFetchMs = 0;
  /** How many there were in the last pass. */
  #instances = 0;
  /** Some instance was idle in the last pass: one that becomes idle later wakes the dispatcher. */
  #hasIdle = false;
  /** The plan whose order the entries' ranks tell. */
  #ranked: Plan | undefined;

  constructor(options: DispatchOptions) {
    this.#options = options;
    const { clock, queue, pool, failures, settings, maxInstances } = options;
    this.#memory = initialPlanMemory(settings, maxInstances);
    const { upkeep, typeNamed, observer, conduct } = options;
    this.#upkeep = new Upkeep({
      clock,
      pool,
      ...(conduct && { conduct }),
      settings: upkeep,
      typeNamed,
      decided: (decision) => observer.decided(decision),
    });
    this.#operations = new ContainerOperations({
      clock,
      queue,
      failures,
      observer,
      refused: () => this.#actor.send({ type: 'operation.refused' }),
      ended: () => this.#actor.send({ type: 'world.changed' }),
    });
    const machine = dispatcherMachine.provide({
      actors: { fetchQueue: fromPromise(() => this.#fetch()), poolLoaded: fromPromise(() => pool.loaded()) },
    });
    this.#actor = createActor(machine, {
      clock: clock,
      input: {
        port: this,
        pollIntervalMs: settings.pollIntervalMs,
        staleLockTimeoutMs: settings.staleLockTimeoutMs,
      },
    });
  }

  start(): void {
    const wake = (): void => this.#actor.send({ type: 'world.changed' });
    this.#unsubscribe.push(this.#options.queue.subscribe(wake), this.#options.pool.subscribe(wake));
    this.#actor.start();
  }

  /** No decision is made any more; operations under way end by themselves. */
  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#operations.stop();
    this.#actor.send({ type: 'stop' });
    this.#actor.stop();
  }

  /** In the order of the last pass. */
  containers(): PlannedContainer[] {
    const { order = [], waits = [] } = this.#plan ?? {};
    return order.map((entry, index) => ({ entry, wait: waits[index] }));
  }

  wait(uuid: string): WaitReason | undefined {
    const { queue } = this.#options;
    if (!this.#plan) return undefined;
    if (this.#ranked !== this.#plan) this.#plan.order.forEach((entry, rank) => (entry.rank = rank));
    this.#ranked = this.#plan;
    const rank = peek(queue).entries.get(uuid)?.rank;
    if (rank === undefined || this.#plan.order[rank]?.container.uuid !== uuid) return undefined;
    return this.#plan.waits[rank];
  }

  figures(): {
    allocatedNotStarted: number;
    overQuota: number;
    longestWaitSeconds: number;
    last503Seconds: number;
    maxContainers: number;
  } {
    const { clock, queue, pool, last503At } = this.#options;
    const running = pool.running();
    let earliest = Infinity;
    for (const [uuid, { container }] of peek(queue).entries) {
      const isWaiting = container.state === 'Queued' || container.state === 'Locked';
      if (isWaiting && container.priority > 0n && !running.has(uuid))
        earliest = Math.min(earliest, container.createdAt);
    }
    return {
      allocatedNotStarted: this.#plan?.allocatedNotStarted ?? 0,
      overQuota: this.#plan?.overQuota ?? 0,
      longestWaitSeconds: earliest === Infinity ? 0 : (clock.now() - earliest) / 1_000,
      last503Seconds: last503At() / 1_000,
      maxContainers: this.#memory.maxContainers,
    };
  }

  // What the dispatcher's chart asks for.

  runPass(): void {
    const { observer } = this.#options;
    try {
      this.#pass();
    } catch (error) {
      // It would end the chart and with it the daemon: another state of the world may be planned for.
      return observer.passed?.({ error });
    }
    observer.passed?.();
  }

  #pass(): void {
    const { clock, queue, pool, settings, upkeep, last503At, failures } = this.#options;
    const counts = pool.countWorkers();
    const snapshot = peek(queue);
    const { running, strays } = resolveDoubles(pool.running(), pool.doubles(), (uuid) => queue.get(uuid));
    const instances = pool.instances();
    this.#instances = instances.length;
    this.#hasIdle = instances.some(({ workerState }) => workerState === 'idle');
    this.#plan = plan({
      now: clock.now(),
      entries: snapshot.entries,
      order: this.#line.update(snapshot.entries, running, queue.takeChanges?.()),
      instances,
      running,
      limits: {
        atQuota: pool.atQuota(),
        atCapacity: (type) => pool.atCapacity(type),
        isOnTrial: (type) => pool.isOnTrial(type),
        creatable: pool.creatable(),
        createHeldUntil: pool.createHeldUntil(),
        protection: pool.protection(),
        room: pool.roomAtQuota(),
        quotaHold: pool.quotaHold(),
        capacityHold: (type) => pool.capacityHold(type),
      },
      settings,
      avoided: (uuid) => failures.avoided(uuid),
      maxContainersPerInstance: upkeep.maxContainersPerInstance,
      memory: this.#memory,
      last503At: last503At(),
      totalInstances: Object.values(counts).reduce((sum, count) => sum + count, 0),
    });
    this.#memory = this.#plan.memory;
    for (const action of this.#plan.actions) this.#carryOut(action);
    this.#upkeep.run(this.#plan, instances);
    this.#noteSuspects(this.#plan.suspects);
    const { notable } = this.#plan;
    const mayRunUnseen = (container: Container): boolean => pool.mayRunUnseen(container);
    for (const action of syncActions({ queue: snapshot, running, mayRunUnseen, notable }))
      this.#reconcile(action, running.has(action.uuid));
    for (const stray of strays) {
      const place = placeOf(queue.get(stray.uuid));
      if (place !== undefined) this.#reconcile(disown(stray, place), true);
    }
  }

  mayHaveStaleLocks(): boolean {
    const { queue, pool } = this.#options;
    return pool.hasUnknownWorkers() && staleLocks(queue.entries(), pool.running()).length > 0;
  }

  unlockStale(): void {
    const { queue, pool } = this.#options;
    for (const uuid of staleLocks(queue.entries(), pool.running())) {
      this.#operations.unlock(uuid, 'locked by an earlier daemon and never started', { isUncounted: true });
    }
  }

  lastFetchMs(): number {
    return this.#lastFetchMs;
  }

  passPauseMs(): number {
    return Math.max(passPauseMs.least, passPauseMs.perInstance * this.#instances);
  }

  idlePassIntervalMs(): number {
    return this.#hasIdle ? Math.min(idlePassIntervalMs, this.#upkeep.intervalMs) : idlePassIntervalMs;
  }

  noteFetchFailure(error: unknown): void {
    this.#options.observer.fetchFailed(error);
  }

  async #fetch(): Promise<void> {
    const { clock, queue, observer } = this.#options;
    const startedAt = clock.now();
    try {
      await queue.update();
      observer.fetched?.();
    } finally {
      this.#lastFetchMs = clock.now() - startedAt;
    }
  }

  #carryOut(action: PlanAction): void {
    const { queue, pool, observer } = this.#options;
    const { because } = action;
    switch (action.kind) {
      case 'lock':
        return this.#operations.lock(action.uuid, because);
      case 'unlock':
        return this.#operations.unlock(action.uuid, because, { isUncounted: true });
      case 'start': {
        const container = queue.get(action.uuid);
        if (
          !container ||
          this.#operations.isUnderWay(action.uuid) ||
          !pool.startContainer(action.instanceId, container)
        )
          return;
        return observer.decided({
          kind: 'start',
          container: action.uuid,
          instance: action.instanceId,
          because,
        });
      }
      case 'create': {
        const created = pool.create(action.instanceType, because);
        if (typeof created === 'string') return;
        return observer.decided({
          kind: 'create',
          container: action.uuid,
          because: `${action.instanceType.name}: ${because}`,
        });
      }
      case 'shutdown':
        if (pool.shutdown(action.instanceId, because)) {
          observer.decided({ kind: 'shutdown', instance: action.instanceId, because });
        }
    }
  }

  /** Told once for each instance, as every pass comes upon them again. */
  #noteSuspects(suspects: Plan['suspects']): void {
    for (const { instanceId, uuid } of suspects) {
      if (this.#suspected.has(instanceId)) continue;
      this.#suspected.add(instanceId);
      const because = 'it is empty and its type should hold the container, but it has not the room';
      this.#options.observer.decided({ kind: 'suspect', container: uuid, instance: instanceId, because });
    }
  }

  #reconcile(action: SyncAction, hasProcess: boolean): void {
    if ('hasFailed' in action) this.#options.observer.attemptFailed?.(action.uuid, action.because);
    const { queue, pool, observer, failures } = this.#options;
    const { uuid } = action;
    switch (action.kind) {
      case 'forget':
        this.#killed.delete(uuid);
        failures.forget(uuid);
        if (queue.get(uuid)?.state === 'Complete') observer.attemptSucceeded?.(uuid);
        return queue.forget(uuid);
      case 'lost':
        return this.#operations.lose(uuid, action.because);
      case 'requeue':
        return this.#operations.unlock(uuid, action.because, { isUncounted: action.hasFailed !== true });
      case 'disown':
        return this.#disown(action.stray, action.because);
      case 'kill':
        if (this.#operations.isUnderWay(uuid)) return this.#actor.send({ type: 'operation.refused' });
        if (!this.#killed.has(uuid)) {
          this.#killed.add(uuid);
          observer.decided({ kind: 'kill', container: uuid, because: action.because });
        }
        if (hasProcess && !pool.killContainer(uuid, action.because)) this.#killed.delete(uuid);
        pool.forgetContainer(uuid);
    }
  }

  /** A result is refused when it comes; a process is stopped, on that instance only. */
  #disown(stray: Stray, because: string): void {
    const { pool, observer } = this.#options;
    const { uuid, instanceId, phase, attempt } = stray;
    if (phase === 'exited') return pool.forgetContainer(uuid);
    if (phase === 'ending') return;
    const key = `${uuid} ${instanceId} ${attempt}`;
    if (!this.#disowned.has(key)) {
      if (this.#disowned.size >= mostDisowned) this.#disowned.clear();
      this.#disowned.add(key);
      observer.claimRefused?.({ uuid, instanceId, attempt, what: 'process', because });
    }
    pool.killContainer(uuid, because, instanceId);
  }
}
