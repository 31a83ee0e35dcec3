import type { Logger } from 'pino';
import type { Strike } from '../fleet/conduct.js';
import type { Decision } from '../fleet/container-operations.js';
import type { DispatchObserver } from '../fleet/dispatcher.js';
import type { PendingLaunch } from '../fleet/worker-views.js';
import type { PoolObserver } from '../fleet/worker-pool.js';
import type { Config } from '../config/config.js';
import type { Clock } from '../domain/clock.js';
import { describeHostKey, type HostKey, type HostKeyChange } from '../domain/host-key.js';
import { hostKeyRemedy, misconductRemedy, tagKeys, type Quarantine } from '../domain/instance.js';
import type { DriverCall } from '../drivers/wrappers/observe.js';
import { invariants, type Violation } from './invariants/invariants.js';
import type { QueueSight } from './invariants/queue-model.js';
import type { Journal } from '../journal/journal.js';
import type { CloudFailure } from '../machines/cloud-effects.js';
import type { LaunchOutput } from '../machines/launch.js';
import type { Metrics } from './metrics.js';
import { fleetLimits, Monitor } from './invariant-monitor.js';
import { WorkerReporter, type NotedEntry } from './worker-reporter.js';
import { AttemptFailures, describeStreak } from '../policy/attempt-failures.js';
import { ClaimBudget } from '../policy/claim-budget.js';
import { describeFailures, RepeatedFailures } from '../policy/repeated-failures.js';
import { QueueError, type RefusedClaim } from '../queue/queue.js';
import type { EndedAttempt, QueueObserver } from '../queue/observed-queue.js';
import type { ContainerResult } from '../domain/container-work.js';

/** Metrics that are pushed rather than read at the scrape. */
export type ReportedMetrics = Pick<
  Metrics,
  | 'bootDecided'
  | 'disappeared'
  | 'driverOperation'
  | 'timeToSsh'
  | 'timeToReady'
  | 'shutdownToGone'
  | 'queueToStart'
  | 'startFailed'
  | 'runProbe'
  | 'invariantViolated'
  | 'attemptEnded'
  | 'claimRefused'
  | 'struck'
  | 'hostKeyChanged'
  | 'passFailed'
>;

export interface ReporterOptions {
  config: Pick<Config, 'pool'>;
  clock: Clock;
  log: Logger;
  journal: Pick<Journal, 'append'>;
  metrics: ReportedMetrics;
  /** Its runner reported that it runs or ran; missing: only results report that. */
  hasRun?: ((uuid: string) => boolean) | undefined;
}

/** Facts that show progress of the queue or the fleet. */
const moves = /^(launch|container|boot)\.|^worker\.(appeared|gone)$/;

/** Turns facts into log lines, journal entries and metrics, and feeds the monitor. Machines do none of this. */
export class Reporter implements PoolObserver, DispatchObserver, QueueObserver {
  /** Reports about workers. */
  readonly workers: WorkerReporter;
  readonly #options: ReporterOptions;
  readonly #claims = new ClaimBudget();
  readonly #strikes = new ClaimBudget();
  #heardClaim: (claim: RefusedClaim) => void = () => {};
  readonly #failures: AttemptFailures;
  readonly #monitor: Monitor;
  readonly #dispatchFailures: RepeatedFailures;
  #lookAtQueue: (() => QueueSight | undefined) | undefined;

  constructor(options: ReporterOptions) {
    this.#options = options;
    const { clock, hasRun } = options;
    this.#failures = new AttemptFailures({ now: () => clock.now(), ...(hasRun ? { hasRun } : {}) });
    this.#dispatchFailures = new RepeatedFailures({ now: () => clock.now() });
    const { instanceSecret } = tagKeys(options.config.pool.tagKeyPrefix);
    this.#monitor = new Monitor(fleetLimits(options.config), instanceSecret, (violation) =>
      this.#violated(violation),
    );
    this.workers = new WorkerReporter({
      ...options,
      monitor: this.#monitor,
      note: (kind, entry) => this.#note(kind, entry),
      attemptFailed: (container, reason) => this.attemptFailed(container, reason),
    });
  }

  /** Lets the monitor check the progress of the queue. Calls `look` about once per minute while nothing moves. */
  watchQueue(look: () => QueueSight | undefined): void {
    this.#lookAtQueue = look;
    this.#monitor.model.queue.moved(this.#options.clock.now());
  }

  driverCall(call: DriverCall): void {
    const { operation, durationMs, error, instanceId, instanceType } = call;
    this.#monitor.called(call, this.#options.clock.now());
    this.#options.metrics.driverOperation(operation, durationMs, error?.code);
    if (operation === 'List' && !error) return;
    this.#note(`cloud.${operation}`, {
      instance: instanceId,
      because: error?.message,
      data: { durationMs, code: error?.code ?? 'ok', type: instanceType },
    });
  }

  loaded(count: number): void {
    this.#options.log.info({ component: 'pool', N: count }, 'initial list of instances loaded');
  }

  listFailed(error: CloudFailure): void {
    this.#options.log.warn({ component: 'pool', ...error }, 'listing instances failed');
  }

  /** Records a list of the provider, before it is compared with the workers. */
  listed(instanceIds: readonly string[]): void {
    const now = this.#options.clock.now();
    this.#monitor.model.listed(now, instanceIds);
    if (this.#lookAtQueue) this.#monitor.model.queue.check(now, this.#lookAtQueue);
  }

  launchRequested(launch: PendingLaunch, because: string): void {
    const { launchId, instanceType, fingerprint } = launch;
    this.#monitor.launchRequested(launch, this.#options.clock.now());
    this.#note('launch.requested', { to: instanceType.name, because, data: { launchId, fingerprint } });
  }

  launchSettled(output: LaunchOutput): void {
    const { launchId, instanceType, outcome } = output;
    this.#monitor.launchSettled(output, this.#options.clock.now());
    if (outcome.ok)
      return this.#note('launch.created', {
        instance: outcome.instance.id,
        to: instanceType.name,
        data: { launchId },
      });
    const { code, message, remedy } = outcome.error;
    this.#options.log.error(
      {
        component: 'pool',
        InstanceType: instanceType.name,
        isCapacityError: code === 'capacity',
        isQuotaError: code === 'quota',
        code,
        error: message,
        remedy,
      },
      'create failed',
    );
    this.#note('launch.refused', {
      to: instanceType.name,
      because: `${code}: ${message}`,
      data: { launchId },
    });
  }

  order(instanceId: string, order: string, because: string): void {
    this.#options.log.info(
      { component: 'pool', Instance: instanceId, order, Reason: because },
      'operator command for an instance',
    );
    this.#note('operator.order', { instance: instanceId, to: order, because });
  }

  /** Records an operator command for a container. */
  containerOrder(container: string, order: string, because: string): void {
    const fields = { component: 'api', ContainerUUID: container, order, Reason: because };
    this.#options.log.info(fields, 'operator command for a container');
    this.#note('operator.order', { container, to: order, because });
    if (order === 'cancel') this.cancelled(container, because);
  }

  /** Records that an operator ended the quarantine of an instance. */
  quarantineCleared(instance: string, because: string): void {
    this.#options.log.info({ component: 'api', Instance: instance, Reason: because }, 'quarantine cleared');
    this.#note('operator.order', { instance, to: 'clear quarantine', because });
  }

  /** Records that an operator closed a breaker. */
  breakerReset(key: string, because: string): void {
    if (key === 'quota') this.#monitor.model.cloud.quotaReset();
    this.#options.log.info({ component: 'api', breaker: key, Reason: because }, 'breaker reset');
    this.#note('operator.order', { to: `reset breaker ${key}`, because });
  }

  completed(uuid: string, result: ContainerResult, ended: EndedAttempt): void {
    const { clock, metrics } = this.#options;
    this.#failures.succeeded();
    metrics.attemptEnded('complete');
    this.#monitor.model.containers.ended(uuid, 'Complete', clock.now());
    this.#note('container.complete', attemptFacts(uuid, result, ended));
  }

  attemptEnded(uuid: string, result: ContainerResult, ended: EndedAttempt): void {
    this.#failures.succeeded();
    this.#options.metrics.attemptEnded(ended.to === 'Queued' ? 'retried' : 'late');
    this.#note('container.attempt-ended', { to: ended.to, ...attemptFacts(uuid, result, ended) });
  }

  /** Sets the listener of refused claims, which replaces an earlier one. It must not throw. */
  onClaimRefused(listener: (claim: RefusedClaim) => void): void {
    this.#heardClaim = listener;
  }

  /** Records a violation by an instance. */
  struck({ instanceId, kind, because }: Strike): void {
    const { clock, log, metrics } = this.#options;
    metrics.struck(kind);
    const passedOver = this.#strikes.take(instanceId, clock.now());
    if (passedOver === undefined) return;
    const fields = { component: 'worker', Instance: instanceId, kind, passedOver, Reason: because };
    log.warn(fields, 'strike against an instance');
    const data = { kind, ...(passedOver > 0 ? { passedOver } : {}) };
    this.#note('instance.strike', { instance: instanceId, because, data });
  }

  /**
   * Records a host key that differs from the pinned one. A key that an operator accepts is journalled as a command.
   */
  hostKeyChanged({ instanceId, outcome, before, now }: HostKeyChange): void {
    const { log, metrics } = this.#options;
    metrics.hostKeyChanged(outcome);
    if (outcome === 'accepted') return;
    const because = hostKeyReasons[outcome];
    const data = { before: before?.fingerprint, now: now.fingerprint, type: now.type };
    this.#note('instance.host-key-changed', { instance: instanceId, to: outcome, because, data });
    const fields = { component: 'worker', Instance: instanceId, ...data, Reason: because };
    if (outcome !== 'refused') return log.info(fields, 'host key replaced');
    log.warn({ ...fields, remedy: hostKeyRemedy(instanceId, now.fingerprint) }, 'host key refused');
  }

  /** Records that an operator accepted another host key. */
  hostKeyAccepted(instance: string, key: HostKey, because: string): void {
    const { fingerprint } = key;
    this.#options.log.info(
      { component: 'api', Instance: instance, now: fingerprint, Reason: because },
      'host key accepted',
    );
    this.#note('operator.order', { instance, to: `accept host key ${describeHostKey(key)}`, because });
  }

  /** Records that the daemon quarantined an instance. */
  quarantined(instanceId: string, { because }: Quarantine): void {
    this.#note('instance.quarantined', { instance: instanceId, because });
    this.#options.log.warn(
      { component: 'worker', Instance: instanceId, because, remedy: misconductRemedy(instanceId) },
      'instance quarantined',
    );
  }

  claimRefused(claim: RefusedClaim): void {
    const { uuid, instanceId, attempt, what, because } = claim;
    const { clock, log, metrics } = this.#options;
    metrics.claimRefused(what);
    this.#heardClaim(claim);
    const passedOver = this.#claims.take(instanceId, clock.now());
    if (passedOver === undefined) return;
    const fields = {
      component: 'queue',
      Instance: instanceId,
      ContainerUUID: uuid,
      what,
      attempt,
      passedOver,
    };
    log.warn({ ...fields, Reason: because }, 'claim of an instance refused');
    const data = { what, attempt, ...(passedOver > 0 ? { passedOver } : {}) };
    this.#note('container.claim-refused', { instance: instanceId, container: uuid, because, data });
  }

  cancelled(uuid: string, because: string): void {
    this.#monitor.model.containers.ended(uuid, 'Cancelled', this.#options.clock.now());
    this.#note('container.cancelled', { container: uuid, because });
  }

  lost(uuid: string, because: string, to: string | undefined, attempt: number | undefined): void {
    this.#options.metrics.attemptEnded('lost');
    if (to === 'Cancelled') this.#monitor.model.containers.ended(uuid, to, this.#options.clock.now());
    this.#note('container.lost', { container: uuid, to, because, data: { attempt } });
  }

  reverted(uuid: string, because: string, to: string | undefined): void {
    if (to === 'Cancelled') this.#monitor.model.containers.ended(uuid, to, this.#options.clock.now());
    this.#note('container.reverted', { container: uuid, to, because });
  }

  /** Returns the common reason of consecutive failed attempts; `undefined` when there is none. */
  attemptFault(): string | undefined {
    const streak = this.#failures.streak();
    return streak && describeStreak(streak);
  }

  attemptSucceeded(uuid: string): void {
    this.#failures.succeeded();
    this.#failures.forget(uuid);
  }

  attemptFailed(uuid: string, because: string): void {
    const streak = this.#failures.failed(uuid, because);
    if (!streak) return;
    const { count, reason } = streak;
    this.#options.log.error({ component: 'dispatch', count, Reason: reason }, 'attempts fail alike');
    this.#note('attempts.failing', { because: describeStreak(streak), data: { count } });
  }

  decided({ kind, container, instance, because, data }: Decision): void {
    if (kind === 'start' && container !== undefined) this.#failures.started(container);
    this.#options.log.debug(
      { component: 'dispatch', kind, ContainerUUID: container, Instance: instance, because },
      'decision',
    );
    this.#note(`plan.${kind}`, { container, instance, because, data });
  }

  failed(operation: string, uuid: string, err: unknown): void {
    this.#options.log.warn(
      { component: 'dispatch', operation, ContainerUUID: uuid, err },
      'operation failed',
    );
    this.#note(`plan.${operation}-failed`, { container: uuid, because: String(err) });
    if (err instanceof QueueError && expectedRefusals.has(err.code)) return;
    this.#dispatchFailures.failed(`${operation} of ${uuid}`, textOf(err), { isPassing: true });
  }

  succeeded(operation: string, uuid: string): void {
    this.#dispatchFailures.succeeded(`${operation} of ${uuid}`);
  }

  fetched(): void {
    this.#dispatchFailures.succeeded(readingQueue);
  }

  passed(failure?: { error: unknown }): void {
    if (!failure) return this.#dispatchFailures.succeeded(planning);
    const { error: err } = failure;
    this.#options.metrics.passFailed(err);
    this.#options.log.error({ component: 'dispatch', err }, 'scheduling pass failed');
    this.#dispatchFailures.failed(planning, textOf(err));
  }

  /** Returns the operation at which the dispatcher fails repeatedly; `undefined`: none. */
  dispatchFault(): string | undefined {
    return describeFailures(this.#dispatchFailures.lasting());
  }

  /** The same, limited to failures that stop all dispatching. */
  dispatchStop(): string | undefined {
    const lasting = this.#dispatchFailures.lasting();
    return describeFailures(lasting.filter(({ what }) => what === readingQueue || what === planning));
  }

  fetchFailed(err: unknown): void {
    this.#dispatchFailures.failed(readingQueue, textOf(err));
    this.#options.log.warn({ component: 'dispatch', err }, 'reading the queue failed');
  }

  /** Records a bug in Longshore or the runner program; an operator must look at it. */
  #violated({ invariant, at, instance, container, what }: Violation): void {
    const { log, journal, metrics } = this.#options;
    metrics.invariantViolated(invariant);
    const promise = invariants[invariant];
    const fields = { component: 'monitor', invariant, promise, what };
    log.error({ ...fields, Instance: instance, ContainerUUID: container }, 'invariant violated');
    const data = { promise };
    journal.append({
      at,
      kind: 'invariant.violated',
      instance,
      container,
      to: invariant,
      because: what,
      data,
    });
  }

  #note(kind: string, entry: NotedEntry): void {
    const at = this.#options.clock.now();
    if (moves.test(kind)) this.#monitor.model.queue.moved(at);
    this.#options.journal.append({ at, kind, ...entry });
  }
}

const hostKeyReasons = {
  refused: 'the instance is in service, and its host key is pinned',
  replaced: 'the instance was booting, and proved itself with the new key',
  vouched: 'the provider knows the new key',
} as const;
const readingQueue = 'reading the queue';
const planning = 'a scheduling pass';
/** The container changed since this daemon last read it; the next read shows what to do. */
const expectedRefusals: ReadonlySet<string> = new Set(['conflict', 'not-found', 'superseded']);
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function attemptFacts(
  container: string,
  { exitCode, startedAt, finishedAt, note }: ContainerResult,
  { attempt, instanceId }: EndedAttempt,
) {
  const because = note === '' ? `it exited with status ${exitCode}` : note;
  return { container, instance: instanceId, because, data: { attempt, exitCode, startedAt, finishedAt } };
}
