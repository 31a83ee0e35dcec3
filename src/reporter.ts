import type { Logger } from 'pino';
import type { EventObject } from 'xstate';
import type { DispatchObserver } from './actors/dispatch.js';
import type { StepFacts } from './actors/observed.js';
import { workerStateOf, type PendingLaunch } from './actors/pool-views.js';
import type { WorkerActor, WorkerEntry, WorkerSnapshot } from './actors/roster.js';
import type { PoolObserver } from './actors/worker-pool.js';
import type { Clock } from './domain/clock.js';
import type { DriverCall } from './drivers/wrappers/observe.js';
import type { Journal } from './journal/journal.js';
import { storyOf } from './journal/worker-story.js';
import type { CloudFailure } from './machines/cloud-effects.js';
import type { LaunchOutput } from './machines/launch.js';
import type { RemoteOutcome, RunProbeOutcome } from './machines/worker-effects.js';
import type { WorkerFact } from './machines/worker-model.js';
import type { Metrics } from './metrics/metrics.js';
import { StepRecorder } from './replay/step-recorder.js';

export interface ReporterOptions {
  clock: Clock;
  log: Logger;
  journal: Pick<Journal, 'append'>;
  metrics: Metrics;
}

/** Failures of steps that are a warning whatever the error; others are only when the error is not expected (2.7). */
const alwaysWarn: ReadonlySet<string> = new Set(['copyRunner', 'runProbe', 'destroyInstance', 'saveTags']);

/** The one place that turns what happens into log lines, journal entries and metrics; machines do none of it. */
export class Reporter implements PoolObserver, DispatchObserver {
  readonly #options: ReporterOptions;
  readonly #steps = new StepRecorder();

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  workerStep(event: EventObject, before: WorkerSnapshot, after: WorkerSnapshot, step: StepFacts): void {
    const { journal, log, metrics } = this.#options;
    const kept = this.#steps.step(event, before, after, step);
    if (kept) journal.append(kept);
    const { instance, instanceType } = after.context;
    const fields = {
      component: 'worker',
      Instance: instance.id,
      InstanceType: instanceType.name,
      Address: instance.address,
    };
    for (const entry of storyOf(event, before, after, step)) {
      journal.append(entry);
      const { from, to, because } = entry;
      log.info(
        { ...fields, from, to, event: event.type, because },
        `${entry.kind === 'worker.behavior' ? 'idle behavior' : 'worker'} changed`,
      );
    }
    const effect = /^xstate\.done\.actor\.(bootProbe|copyRunner|runProbe|destroyInstance|saveTags)$/.exec(
      event.type,
    )?.[1];
    if (effect === undefined) return;
    const outcome = (event as unknown as { output: RemoteOutcome | RunProbeOutcome }).output;
    if (effect === 'runProbe') metrics.runProbe((outcome as RunProbeOutcome).durationMs, outcome.ok);
    if (outcome.ok) return;
    const { code, message, stdout, stderr } = outcome;
    const isWarning = alwaysWarn.has(effect) || !outcome.expected;
    log[isWarning ? 'warn' : 'debug'](
      { ...fields, step: effect, code, error: message, stdout: clip(stdout), stderr: clip(stderr) },
      'step failed',
    );
  }

  appeared({ instance, instanceType, actor }: WorkerEntry): void {
    this.#begun(actor);
    const expected = actor.getSnapshot().context.expected;
    this.#note('worker.appeared', {
      instance: instance.id,
      data: { type: instanceType.name, price: instanceType.price },
      because: expected ? 'this daemon asked for it' : 'found in the list',
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

  /** A worker that broke was replaced. */
  replaced({ instance, actor }: WorkerEntry): void {
    this.#note('worker.replaced', { instance: instance.id, because: 'its worker broke and was begun anew' });
    this.#begun(actor);
  }

  fact(instanceId: string, fact: WorkerFact): void {
    const { log, metrics } = this.#options;
    switch (fact.type) {
      case 'boot.decided':
        metrics.bootDecided(fact.outcome);
        return this.#note('boot.outcome', { instance: instanceId, to: fact.outcome });
      case 'boot.verified':
        return metrics.timeToSsh(fact.sinceAppearedMs);
      case 'boot.ready':
        return metrics.timeToReady(fact.sinceVerifiedMs);
      case 'container.startReturned':
        if (fact.queuedMs !== undefined) metrics.queueToStart(fact.queuedMs);
        return this.#note('container.started', { instance: instanceId, container: fact.uuid });
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

  broke({ instance, breakdowns }: WorkerEntry, err: unknown): void {
    this.#options.log.error(
      { component: 'worker', Instance: instance.id, breakdowns, err },
      'worker broke and is replaced',
    );
    this.#note('worker.broke', { instance: instance.id, because: String(err) });
  }

  retired({ instance }: WorkerEntry, last: WorkerSnapshot): void {
    const { clock, log, metrics } = this.#options;
    this.#steps.gone(instance.id);
    const state = workerStateOf(last);
    metrics.disappeared(state);
    const { shutdownAt, appearedAt, instanceType } = last.context;
    if (shutdownAt !== undefined) metrics.shutdownToGone(clock.now() - shutdownAt);
    log.info({ component: 'pool', Instance: instance.id, WorkerState: state }, 'instance disappeared');
    const lifeMs = clock.now() - appearedAt;
    const cost = (lifeMs / 3_600_000) * instanceType.price;
    this.#note('worker.gone', {
      instance: instance.id,
      from: state,
      data: { lifeMs, cost, type: instanceType.name },
    });
  }

  driverCall({ operation, durationMs, error, instanceId, instanceType }: DriverCall): void {
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
    this.#options.log.warn({ component: 'pool', ...error }, 'list of instances could not be had');
  }

  launchRequested({ launchId, instanceType, fingerprint }: PendingLaunch, because: string): void {
    this.#note('launch.requested', { to: instanceType.name, because, data: { launchId, fingerprint } });
  }

  launchSettled({ launchId, instanceType, outcome }: LaunchOutput): void {
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
      'order for an instance',
    );
    this.#note('operator.order', { instance: instanceId, to: order, because });
  }

  decided({ kind, container, instance, because }: Parameters<DispatchObserver['decided']>[0]): void {
    this.#options.log.debug(
      { component: 'dispatch', kind, ContainerUUID: container, Instance: instance, because },
      'decision',
    );
    this.#note(`plan.${kind}`, { container, instance, because });
  }

  failed(operation: string, uuid: string, err: unknown): void {
    this.#options.log.warn(
      { component: 'dispatch', operation, ContainerUUID: uuid, err },
      'operation failed',
    );
    this.#note(`plan.${operation}-failed`, { container: uuid, because: String(err) });
  }

  fetchFailed(err: unknown): void {
    this.#options.log.warn({ component: 'dispatch', err }, 'queue could not be read');
  }

  #begun(actor: WorkerActor): void {
    const { clock, journal } = this.#options;
    journal.append(this.#steps.begun(actor.getSnapshot(), clock.now()));
  }

  #note(kind: string, entry: Omit<Parameters<Journal['append']>[0], 'at' | 'kind'>): void {
    this.#options.journal.append({ at: this.#options.clock.now(), kind, ...entry });
  }
}

const clip = (text: string): string => (text.length > 2_000 ? `${text.slice(0, 2_000)}…` : text);
