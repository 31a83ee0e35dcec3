import type { Logger } from 'pino';
import type { EventObject } from 'xstate';
import type { Strike } from '../fleet/conduct.js';
import type { Decision } from '../fleet/container-operations.js';
import type { DispatchObserver } from '../fleet/dispatcher.js';
import type { StepFacts } from '../machines/inspection/observe-transitions.js';
import type { PendingLaunch } from '../fleet/worker-views.js';
import type { PoolObserver } from '../fleet/worker-pool.js';
import type { Config } from '../config/config.js';
import type { Clock } from '../domain/clock.js';
import { describeHostKey, type HostKey, type HostKeyChange } from '../domain/host-key.js';
import {
  hostKeyRemedy,
  misconductRemedy,
  quarantineRemedy,
  tagKeys,
  type Quarantine,
} from '../domain/instance.js';
import type { DriverCall } from '../drivers/wrappers/observe.js';
import { invariants, type Violation } from './invariants/invariants.js';
import type { QueueSight } from './invariants/queue-model.js';
import type { Journal } from '../journal/journal.js';
import { storyOf } from '../journal/worker-entries.js';
import type { CloudFailure } from '../machines/cloud-effects.js';
import type { LaunchOutput } from '../machines/launch.js';
import type { RemoteOutcome, RunProbeOutcome, StartFailure } from '../machines/worker-effects.js';
import type { WorkerFact } from '../machines/worker-model.js';
import type { Metrics } from './metrics.js';
import { fleetLimits, Monitor } from './invariant-monitor.js';
import { AttemptFailures, describeStreak } from '../policy/attempt-failures.js';
import { ClaimBudget } from '../policy/claim-budget.js';
import { describeFailures, RepeatedFailures } from '../policy/repeated-failures.js';
import { QueueError, type RefusedClaim } from '../queue/queue.js';
import type { EndedAttempt, QueueObserver } from '../queue/observed-queue.js';
import { StepRecorder } from '../journal/replay/step-recorder.js';
import type { ContainerResult } from '../domain/container-work.js';
import type { WorkerActor, WorkerSnapshot } from '../machines/worker.js';
import type { WorkerEntry } from '../fleet/worker-entry.js';
import { knownSince, workerStateOf } from '../machines/worker-state.js';
import { firstAndLast } from '../domain/first-and-last.js';

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

/** A probe round without changes: its start, and its response. */
const stepsOfVisit = 2;
/** Facts that show progress of the queue or the fleet. */
const moves = /^(launch|container|boot)\.|^worker\.(appeared|gone)$/;
const effectsDone: ReadonlyMap<string, string> = new Map(
  ['bootProbe', 'copyRunner', 'runProbe', 'destroyInstance', 'saveTags'].map((effect) => [
    `xstate.done.actor.${effect}`,
    effect,
  ]),
);
/** Operations whose failure is always a warning; others warn only for an unexpected error (2.7). */
const alwaysWarn: ReadonlySet<string> = new Set(['copyRunner', 'runProbe', 'destroyInstance', 'saveTags']);

/** Turns facts into log lines, journal entries and metrics, and feeds the monitor. Machines do none of this. */
export class Reporter implements PoolObserver, DispatchObserver, QueueObserver {
  readonly #options: ReporterOptions;
  readonly #steps = new StepRecorder();
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
  }

  /** Lets the monitor check the progress of the queue. Calls `look` about once per minute while nothing moves. */
  watchQueue(look: () => QueueSight | undefined): void {
    this.#lookAtQueue = look;
    this.#monitor.model.queue.moved(this.#options.clock.now());
  }

  workerStep(event: EventObject, before: WorkerSnapshot, after: WorkerSnapshot, step: StepFacts): void {
    const { journal, log, metrics } = this.#options;
    const kept = this.#steps.step(event, before, after, step);
    if (kept) journal.append(kept);
    this.#monitor.stepped(event, before, after, step.at);
    for (const entry of storyOf(event, before, after, step)) {
      journal.append(entry);
      if (entry.kind === 'container.found') continue;
      const { from, to, because } = entry;
      this.#monitor.model.explained(step.at, after.context.instance.id, `${from} → ${to}`, because);
      log.info(
        { ...fieldsOf(after), from, to, event: event.type, because },
        `${entry.kind === 'worker.behavior' ? 'idle behavior' : 'worker'} changed`,
      );
    }
    this.#notedQuarantine(before, after);
    if (after.value.lifecycle === 'orphaned' && before.value.lifecycle !== 'orphaned') {
      log.warn(fieldsOf(after), 'orphaned instance: no launch record and it never responded');
    }
    const effect = effectsDone.get(event.type);
    if (effect === undefined) return;
    const outcome = (event as unknown as { output: RemoteOutcome | RunProbeOutcome }).output;
    if (effect === 'runProbe') metrics.runProbe((outcome as RunProbeOutcome).durationMs, outcome.ok);
    if (outcome.ok) return;
    const { code, message, stdout, stderr } = outcome;
    const isWarning = alwaysWarn.has(effect) || !outcome.expected;
    log[isWarning ? 'warn' : 'debug'](
      { ...fieldsOf(after), step: effect, code, error: message, stdout: clip(stdout), stderr: clip(stderr) },
      'operation failed',
    );
  }

  #notedQuarantine(before: WorkerSnapshot, after: WorkerSnapshot): void {
    const { quarantine, id } = after.context.instance;
    if (!quarantine || before.context.instance.quarantine?.at === quarantine.at) return;
    const { because } = quarantine;
    this.#note('instance.quarantined', { instance: id, because });
    this.#options.log.warn(
      { ...fieldsOf(after), because, remedy: quarantineRemedy(id) },
      'instance quarantined',
    );
  }

  /** Records a skipped probe round with a known outcome: the worker responded without changes. */
  passedOver(instanceId: string, at: number): void {
    this.#steps.skip(instanceId, stepsOfVisit);
    this.#monitor.model.heard(at, instanceId);
  }

  appeared({ instance, instanceType, actor }: WorkerEntry): void {
    this.#begun(actor);
    const expected = actor.getSnapshot().context.expected;
    this.#note('worker.appeared', {
      instance: instance.id,
      data: { type: instanceType.name, price: instanceType.price },
      because: expected ? 'this daemon created it' : 'found in the list',
    });
    this.#options.log.info(
      {
        component: 'pool',
        Instance: instance.id,
        InstanceType: instanceType.name,
        Address: instance.address,
        State: expected ? 'booting' : 'unknown',
      },
      'instance appeared',
    );
  }

  /** Records that a new worker replaced one that threw. */
  replaced({ instance, actor }: WorkerEntry): void {
    this.#note('worker.replaced', { instance: instance.id, because: 'its worker threw and was replaced' });
    this.#begun(actor);
  }

  fact(instanceId: string, fact: WorkerFact): void {
    const { log, metrics } = this.#options;
    switch (fact.type) {
      case 'boot.decided':
        metrics.bootDecided(fact.outcome);
        this.#monitor.model.bootDecided(this.#options.clock.now(), instanceId, fact.outcome);
        return this.#note('boot.outcome', { instance: instanceId, to: fact.outcome });
      case 'boot.verified':
        return metrics.timeToSsh(fact.sinceAppearedMs);
      case 'boot.ready':
        return metrics.timeToReady(fact.sinceVerifiedMs);
      case 'container.startReturned':
        if (fact.queuedMs !== undefined) metrics.queueToStart(fact.queuedMs);
        if (!fact.outcome.ok) return this.#startFailed(instanceId, fact.uuid, fact.outcome);
        return this.#note('container.started', {
          instance: instanceId,
          container: fact.uuid,
          ...(fact.attempt === undefined ? {} : { data: { attempt: fact.attempt } }),
        });
      case 'container.exited':
        log.info(
          { component: 'worker', Instance: instanceId, ContainerUUID: fact.uuid, ending: fact.ending },
          'process ended',
        );
        return this.#note('container.exited', {
          instance: instanceId,
          container: fact.uuid,
          because: fact.ending,
        });
      case 'probe.rested':
      case 'probe.wanted':
        return;
    }
  }

  #startFailed(instanceId: string, container: string, failure: StartFailure): void {
    const { log, metrics } = this.#options;
    const { code, exitCode, ranNothing = false, message, stdout, stderr } = failure;
    const { fault = 'daemon', reason = message } = failure;
    const data = { code, exitCode, fault, ranNothing };
    metrics.startFailed(fault);
    log.warn(
      {
        component: 'worker',
        Instance: instanceId,
        ContainerUUID: container,
        ...data,
        error: message,
        stdout: firstAndLast(stdout, longestOutput),
        stderr: firstAndLast(stderr, longestOutput),
      },
      'start failed',
    );
    this.#note('container.startFailed', { instance: instanceId, container, because: reason, data });
    this.attemptFailed(container, reason);
  }

  broke({ instance, breakdowns }: WorkerEntry, err: unknown): void {
    this.#options.log.error(
      { component: 'worker', Instance: instance.id, breakdowns, err },
      'worker threw; replacing it',
    );
    this.#note('worker.broke', { instance: instance.id, because: String(err) });
  }

  retired({ instance }: WorkerEntry, last: WorkerSnapshot): void {
    const { clock, log, metrics } = this.#options;
    this.#steps.gone(instance.id);
    this.#monitor.model.gone(instance.id);
    const state = workerStateOf(last);
    metrics.disappeared(state);
    const { shutdownAt, instanceType } = last.context;
    if (shutdownAt !== undefined) metrics.shutdownToGone(clock.now() - shutdownAt);
    log.info({ component: 'pool', Instance: instance.id, WorkerState: state }, 'instance disappeared');
    const lifeMs = clock.now() - knownSince(last.context);
    const cost = (lifeMs / 3_600_000) * instanceType.price;
    this.#note('worker.gone', {
      instance: instance.id,
      from: state,
      data: { lifeMs, cost, type: instanceType.name },
    });
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

  #begun(actor: WorkerActor): void {
    const { clock, journal } = this.#options;
    journal.append(this.#steps.begun(actor.getSnapshot(), clock.now()));
    this.#monitor.began(actor, clock.now());
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

  #note(kind: string, entry: Omit<Parameters<Journal['append']>[0], 'at' | 'kind'>): void {
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

const fieldsOf = ({ context: { instance, instanceType } }: WorkerSnapshot) => ({
  component: 'worker',
  Instance: instance.id,
  InstanceType: instanceType.name,
  Address: instance.address,
});

const longestOutput = 2_000;
const clip = (text: string): string => (text.length > 2_000 ? `${text.slice(0, 2_000)}…` : text);
