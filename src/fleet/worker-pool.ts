import { createActor, type ActorRefFrom } from 'xstate';
import type { Clock } from '../domain/clock.js';
import type { Container } from '../domain/container.js';
import { secretFingerprint } from '../domain/ids.js';
import { rebooted, type BootOutcome, type IdleBehavior, type WorkerState } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { supervisorMachine } from '../machines/supervisor.js';
import type { WorkerEvent } from '../machines/worker-model.js';
import { chartStateOf, type ChartState } from '../machines/inspection/active-states.js';
import type { CreateLimits, InstanceCounts } from './create-limits.js';
import type { BreakerView } from '../domain/breaker-view.js';
import { FleetSync, type SyncObserver } from './fleet-sync.js';
import { Launches, type LaunchesOptions } from './pending-launches.js';
import { Notifier } from '../async/notifier.js';
import { PoolError, type Pool } from './pool.js';
import { byType, gaugeOf, viewOfLaunch, viewOfWorker, type PendingLaunch } from './worker-views.js';
import type { WorkerRoster } from './worker-registry.js';
import type { InstanceView, RunningView, WorkerGaugeView } from '../domain/instance-view.js';
import type { WorkerSnapshot } from '../machines/worker.js';
import type { WorkerEntry } from './worker-entry.js';
import { workerStateOf } from '../machines/worker-state.js';

/** Told of what the pool itself does. None of these may throw. */
export interface PoolObserver extends SyncObserver {
  launchRequested(launch: PendingLaunch, because: string): void;
  order(instanceId: string, order: string, because: string): void;
}

export interface WorkerPoolOptions extends LaunchesOptions {
  clock: Clock;
  /** With its effects provided. */
  supervisor: typeof supervisorMachine;
  roster: WorkerRoster;
  limits: CreateLimits;
  /** Why the runner program cannot be had, or `undefined` (L-1, L-36). */
  runnerFault(): string | undefined;
  /** Forty hex digits (L-4). */
  newSecret(): string;
  observer: PoolObserver;
  secretTagKey: string;
  syncIntervalMs: number;
  hastySyncIntervalMs: number;
  replaceDelayMs: number;
}

/** The worker pool: workers, create calls under way, and containers that lately ended (V-5). */
export class WorkerPool implements Pool {
  /** What the supervisor asks for. */
  readonly sync: FleetSync;
  readonly #options: WorkerPoolOptions;
  readonly #launches: Launches;
  readonly #exited = new Map<string, { instanceId: string; at: number; because?: string }>();
  /** What ran on an instance when it rebooted, until the end of each is known. */
  readonly #rebooted = new Map<string, string>();
  /** Where containers were started while lists may leave instances out: not every queue knows it. */
  readonly #startedOn = new Map<string, string>();
  /** With the exited ones, for as long as neither changes. */
  #running: { live: ReadonlyMap<string, RunningView>; all: ReadonlyMap<string, RunningView> } | undefined;
  readonly #notifier = new Notifier();
  readonly #supervisor: ActorRefFrom<typeof supervisorMachine>;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#launches = new Launches(options);
    this.sync = new FleetSync({
      ...options,
      launches: this.#launches,
      counts: () => this.#counts(),
      changed: () => this.changed(),
    });
    const { syncIntervalMs, hastySyncIntervalMs, replaceDelayMs } = options;
    this.#supervisor = createActor(options.supervisor, {
      id: 'supervisor',
      clock: options.clock,
      input: { roster: this.sync, syncIntervalMs, hastySyncIntervalMs, replaceDelayMs },
    });
  }

  start(): void {
    this.#supervisor.start();
  }

  /** Ends probing, syncing and create calls; instances live on (L-34). */
  stop(): void {
    this.#supervisor.send({ type: 'stop' });
    this.#supervisor.stop();
    this.sync.stop();
    this.#options.limits.stop();
    this.#options.roster.stop();
  }

  // What workers let the pool know.

  /** Something changed that others may wait for (W-45). */
  changed(): void {
    this.#notifier.notify();
  }

  containerExited(uuid: string, instanceId: string, at: number): void {
    const isByReboot = this.#rebooted.get(uuid) === instanceId;
    if (isByReboot) this.#rebooted.delete(uuid);
    this.#exited.set(uuid, { instanceId, at, ...(isByReboot && { because: rebooted }) });
    this.#running = undefined;
    this.changed();
  }

  /** These containers had a process on it, which the reboot ended. */
  instanceRebooted(instanceId: string, uuids: readonly string[]): void {
    for (const uuid of uuids) this.#rebooted.set(uuid, instanceId);
  }

  workerBroke(instanceId: string): void {
    this.#supervisor.send({ type: 'worker.broke', instanceId });
  }

  // What dispatcher, API and metrics ask for.

  loaded(): Promise<void> {
    return this.sync.loaded;
  }

  instances(): InstanceView[] {
    return [...this.launches().sort(byType), ...this.#options.roster.views.instances()];
  }

  snapshot(instanceId: string): WorkerSnapshot | undefined {
    return this.#options.roster.get(instanceId)?.actor.getSnapshot();
  }

  /** `undefined` when there is no such instance. */
  instance(instanceId: string): InstanceView | undefined {
    const snapshot = this.snapshot(instanceId);
    return snapshot && viewOfWorker(snapshot);
  }

  /** Creations that have not returned, and that the list does not show yet. */
  launches(): InstanceView[] {
    return this.#launches.views();
  }

  chart(instanceId: string): ChartState | undefined {
    const entry = this.#options.roster.get(instanceId);
    return entry && chartStateOf(entry.actor);
  }

  /** What has a process on an instance, and what lately had one. The same map until that changes. */
  running(): ReadonlyMap<string, RunningView> {
    const live = this.#options.roster.views.running();
    if (this.#exited.size === 0) return live;
    if (this.#running?.live === live) return this.#running.all;
    const all = new Map(live);
    for (const [uuid, { at, ...exit }] of this.#exited) {
      if (!all.has(uuid)) all.set(uuid, { ...exit, phase: 'exited', exitedAt: at });
    }
    this.#running = { live, all };
    return all;
  }

  doubles(): ReturnType<Pool['doubles']> {
    return this.#options.roster.views.doubles();
  }

  countWorkers(): Record<WorkerState, number> {
    return this.#options.roster.views.counts();
  }

  hasUnknownWorkers(): boolean {
    return this.#options.roster.views.hasUnknown();
  }

  mayRunUnseen(container: Parameters<Pool['mayRunUnseen']>[0]): boolean {
    const { roster } = this.#options;
    const instanceId = container.instanceId || this.#startedOn.get(container.uuid);
    if (!instanceId) return this.hasUnknownWorkers() || !roster.isComplete();
    const entry = roster.get(instanceId);
    if (!entry) return roster.mayMiss(instanceId);
    const { workerState, isOrphan } = viewOfWorker(entry.actor.getSnapshot());
    // One of an earlier process whose create call was never heard boots here, and may run what that one started.
    return (workerState === 'unknown' && !isOrphan) || workerState === 'booting';
  }

  gauges(): WorkerGaugeView[] {
    return this.#options.roster.snapshots().map(gaugeOf);
  }

  atQuota(): boolean {
    return this.#options.limits.atQuota(this.#counts());
  }

  atCapacity(type: InstanceType): boolean {
    return this.#options.limits.atCapacity(type);
  }

  isOnTrial(type: InstanceType): boolean {
    return this.#options.limits.isOnTrial(type);
  }

  protection(): ReturnType<Pool['protection']> {
    return this.#options.limits.protection();
  }

  /** An instance this process asked for came into service, or did not. */
  bootDecided(instanceId: string, outcome: BootOutcome): void {
    const entry = this.#options.roster.get(instanceId);
    if (!entry?.actor.getSnapshot().context.expected) return;
    const { instanceType, origin } = entry;
    this.#options.limits.bootDecided({ launchId: origin?.launchId ?? '', instanceType }, outcome);
  }

  creatable(): number {
    return this.#options.limits.creatable(this.#counts());
  }

  createHeldUntil(): number | undefined {
    return this.#options.limits.createHeldUntil();
  }

  roomAtQuota(): ReturnType<Pool['roomAtQuota']> {
    return this.#options.limits.roomAtQuota();
  }

  quotaHold(): ReturnType<Pool['quotaHold']> {
    return this.#options.limits.quotaHold(this.#counts());
  }

  capacityHold(type: InstanceType): ReturnType<Pool['capacityHold']> {
    return this.#options.limits.capacityHold(type);
  }

  breakers(): BreakerView[] {
    return this.#options.limits.views();
  }

  resetBreaker(key: string): boolean {
    return this.#options.limits.reset(key);
  }

  create(
    type: InstanceType,
    because: string,
  ): InstanceView | 'quota' | 'capacity' | 'throttled' | 'no-runner' {
    const { limits, runnerFault, newSecret, clock, observer } = this.#options;
    if (runnerFault() !== undefined) return 'no-runner';
    const zone = limits.zoneFor(type);
    if (zone === undefined || limits.atCapacity(type)) return 'capacity';
    if (limits.atQuota(this.#counts())) return 'quota';
    if (limits.creatable(this.#counts()) < 1) return 'throttled';
    const secret = newSecret();
    const launch = this.#launches.begin({
      instanceType: type,
      zone,
      fingerprint: secretFingerprint(secret),
      startedAt: clock.now(),
    });
    limits.tried(launch);
    observer.launchRequested(launch, because);
    this.#supervisor.send({
      type: 'launch.requested',
      launchId: launch.launchId,
      instanceType: type,
      zone,
      secret,
      because,
    });
    return viewOfLaunch(launch);
  }

  shutdown(instanceId: string, because: string): boolean {
    return this.#order(instanceId, { type: 'scheduler.shutdown', because }, 'shutdown');
  }

  keep(instanceId: string): void {
    this.#options.roster.send(instanceId, { type: 'scheduler.keep' });
  }

  startContainer(instanceId: string, container: Container): boolean {
    const { uuid, createdAt, attempt } = container;
    const next = attempt === undefined ? {} : { attempt: attempt + 1 };
    const event = { type: 'container.assigned' as const, uuid, queuedAt: createdAt, ...next };
    const entry = this.#options.roster.get(instanceId);
    if (!entry?.actor.getSnapshot().can(event)) return false;
    this.#exited.delete(uuid);
    this.#running = undefined;
    if (this.#options.roster.isComplete()) this.#startedOn.clear();
    else this.#startedOn.set(uuid, instanceId);
    entry.actor.send(event);
    return true;
  }

  killContainer(uuid: string, because: string, instanceId?: string): boolean {
    const entry = instanceId === undefined ? this.#entryWith(uuid) : this.#options.roster.get(instanceId);
    if (entry && !(uuid in entry.actor.getSnapshot().context.runners)) return false;
    entry?.actor.send({ type: 'container.kill', uuid, because });
    return entry !== undefined;
  }

  forgetContainer(uuid: string): void {
    if (!this.#exited.delete(uuid)) return;
    this.#running = undefined;
    this.changed();
  }

  setIdleBehavior(instanceId: string, behavior: IdleBehavior, because: string): void {
    if (!this.#options.roster.get(instanceId)) throw new PoolError('requested instance does not exist');
    this.#options.observer.order(instanceId, behavior, because);
    this.#options.roster.send(instanceId, { type: `operator.${behavior}`, because });
    this.changed();
  }

  killInstance(instanceId: string, because: string): void {
    if (!this.#options.roster.get(instanceId)) throw new PoolError('instance not found');
    this.#options.observer.order(instanceId, 'kill', because);
    this.#options.roster.send(instanceId, { type: 'operator.kill', because });
  }

  health(): string | undefined {
    const fault = this.#options.runnerFault();
    return fault === undefined ? undefined : `error loading runner binary: ${fault}`;
  }

  subscribe(listener: () => void): () => void {
    return this.#notifier.subscribe(listener);
  }

  #order(instanceId: string, event: WorkerEvent, order: string): boolean {
    const entry = this.#options.roster.get(instanceId);
    const before = entry?.actor.getSnapshot();
    if (!entry || !before?.can(event)) return false;
    entry.actor.send(event);
    const isObeyed = workerStateOf(entry.actor.getSnapshot()) !== workerStateOf(before);
    if (isObeyed) this.#options.observer.order(instanceId, order, 'because' in event ? event.because : '');
    return isObeyed;
  }

  #counts(): InstanceCounts {
    const pending = this.#launches.unlisted().length;
    return { workers: this.#options.roster.size, pending, inFlight: this.#launches.size };
  }

  /** Where its process is; of results that are on their way, any. */
  #entryWith(uuid: string): WorkerEntry | undefined {
    let ending: WorkerEntry | undefined;
    for (const entry of this.#options.roster.entries()) {
      const runner = entry.actor.getSnapshot().context.runners[uuid];
      if (runner && runner.phase !== 'collecting') return entry;
      if (runner) ending = entry;
    }
    return ending;
  }
}
