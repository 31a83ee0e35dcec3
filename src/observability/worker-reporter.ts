import type { Logger } from 'pino';
import type { EventObject } from 'xstate';
import type { Clock } from '../domain/clock.js';
import { firstAndLast } from '../domain/first-and-last.js';
import { quarantineRemedy } from '../domain/instance.js';
import type { WorkerEntry } from '../fleet/worker-entry.js';
import type { Journal } from '../journal/journal.js';
import { StepRecorder } from '../journal/replay/step-recorder.js';
import { storyOf } from '../journal/worker-entries.js';
import type { StepFacts } from '../machines/inspection/observe-transitions.js';
import type { WorkerActor, WorkerSnapshot } from '../machines/worker.js';
import type { RemoteOutcome, RunProbeOutcome, StartFailure } from '../machines/worker-effects.js';
import type { WorkerFact } from '../machines/worker-model.js';
import { knownSince, workerStateOf } from '../machines/worker-state.js';
import type { Monitor } from './invariant-monitor.js';
import type { Metrics } from './metrics.js';

/** A journal entry without its time and kind. */
export type NotedEntry = Omit<Parameters<Journal['append']>[0], 'at' | 'kind'>;

export interface WorkerReporterOptions {
  clock: Clock;
  log: Logger;
  journal: Pick<Journal, 'append'>;
  metrics: Pick<
    Metrics,
    | 'bootDecided'
    | 'disappeared'
    | 'timeToSsh'
    | 'timeToReady'
    | 'shutdownToGone'
    | 'queueToStart'
    | 'startFailed'
    | 'runProbe'
  >;
  monitor: Monitor;
  note(kind: string, entry: NotedEntry): void;
  attemptFailed(container: string, reason: string): void;
}

/** A probe round without changes: its start, and its response. */
const stepsOfVisit = 2;
const effectsDone: ReadonlyMap<string, string> = new Map(
  ['bootProbe', 'copyRunner', 'runProbe', 'destroyInstance', 'saveTags'].map((effect) => [
    `xstate.done.actor.${effect}`,
    effect,
  ]),
);
/** Operations whose failure is always a warning; others warn only for an unexpected error (2.7). */
const alwaysWarn: ReadonlySet<string> = new Set(['copyRunner', 'runProbe', 'destroyInstance', 'saveTags']);

/** Turns facts about workers into log lines, journal entries and metrics, and feeds the monitor. */
export class WorkerReporter {
  readonly #options: WorkerReporterOptions;
  readonly #steps = new StepRecorder();

  constructor(options: WorkerReporterOptions) {
    this.#options = options;
  }

  stepped(event: EventObject, before: WorkerSnapshot, after: WorkerSnapshot, step: StepFacts): void {
    const { journal, log, metrics } = this.#options;
    const kept = this.#steps.step(event, before, after, step);
    if (kept) journal.append(kept);
    this.#options.monitor.stepped(event, before, after, step.at);
    for (const entry of storyOf(event, before, after, step)) {
      journal.append(entry);
      if (entry.kind === 'container.found') continue;
      const { from, to, because } = entry;
      this.#options.monitor.model.explained(step.at, after.context.instance.id, `${from} → ${to}`, because);
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
    this.#options.note('instance.quarantined', { instance: id, because });
    this.#options.log.warn(
      { ...fieldsOf(after), because, remedy: quarantineRemedy(id) },
      'instance quarantined',
    );
  }

  /** Records a skipped probe round with a known outcome: the worker responded without changes. */
  passedOver(instanceId: string, at: number): void {
    this.#steps.skip(instanceId, stepsOfVisit);
    this.#options.monitor.model.heard(at, instanceId);
  }

  appeared({ instance, instanceType, actor }: WorkerEntry): void {
    this.#begun(actor);
    const expected = actor.getSnapshot().context.expected;
    this.#options.note('worker.appeared', {
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
    this.#options.note('worker.replaced', {
      instance: instance.id,
      because: 'its worker threw and was replaced',
    });
    this.#begun(actor);
  }

  fact(instanceId: string, fact: WorkerFact): void {
    const { log, metrics } = this.#options;
    switch (fact.type) {
      case 'boot.decided':
        metrics.bootDecided(fact.outcome);
        this.#options.monitor.model.bootDecided(this.#options.clock.now(), instanceId, fact.outcome);
        return this.#options.note('boot.outcome', { instance: instanceId, to: fact.outcome });
      case 'boot.verified':
        return metrics.timeToSsh(fact.sinceAppearedMs);
      case 'boot.ready':
        return metrics.timeToReady(fact.sinceVerifiedMs);
      case 'container.startReturned':
        if (fact.queuedMs !== undefined) metrics.queueToStart(fact.queuedMs);
        if (!fact.outcome.ok) return this.#startFailed(instanceId, fact.uuid, fact.outcome);
        return this.#options.note('container.started', {
          instance: instanceId,
          container: fact.uuid,
          ...(fact.attempt === undefined ? {} : { data: { attempt: fact.attempt } }),
        });
      case 'container.exited':
        log.info(
          { component: 'worker', Instance: instanceId, ContainerUUID: fact.uuid, ending: fact.ending },
          'process ended',
        );
        return this.#options.note('container.exited', {
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
    this.#options.note('container.startFailed', { instance: instanceId, container, because: reason, data });
    this.#options.attemptFailed(container, reason);
  }

  broke({ instance, breakdowns }: WorkerEntry, err: unknown): void {
    this.#options.log.error(
      { component: 'worker', Instance: instance.id, breakdowns, err },
      'worker threw; replacing it',
    );
    this.#options.note('worker.broke', { instance: instance.id, because: String(err) });
  }

  retired({ instance }: WorkerEntry, last: WorkerSnapshot): void {
    const { clock, log, metrics } = this.#options;
    this.#steps.gone(instance.id);
    this.#options.monitor.model.gone(instance.id);
    const state = workerStateOf(last);
    metrics.disappeared(state);
    const { shutdownAt, instanceType } = last.context;
    if (shutdownAt !== undefined) metrics.shutdownToGone(clock.now() - shutdownAt);
    log.info({ component: 'pool', Instance: instance.id, WorkerState: state }, 'instance disappeared');
    const lifeMs = clock.now() - knownSince(last.context);
    const cost = (lifeMs / 3_600_000) * instanceType.price;
    this.#options.note('worker.gone', {
      instance: instance.id,
      from: state,
      data: { lifeMs, cost, type: instanceType.name },
    });
  }

  #begun(actor: WorkerActor): void {
    const { clock, journal } = this.#options;
    journal.append(this.#steps.begun(actor.getSnapshot(), clock.now()));
    this.#options.monitor.began(actor, clock.now());
  }
}

const fieldsOf = ({ context: { instance, instanceType } }: WorkerSnapshot) => ({
  component: 'worker',
  Instance: instance.id,
  InstanceType: instanceType.name,
  Address: instance.address,
});

const longestOutput = 2_000;
const clip = (text: string): string => (text.length > 2_000 ? `${text.slice(0, 2_000)}…` : text);
