import type { AnyActorRef } from 'xstate';
import { viewOfWorker } from '../../../src/fleet/worker-views.js';
import { WorkerRoster } from '../../../src/fleet/worker-registry.js';
import type { Instance, Tags } from '../../../src/domain/instance.js';
import type { WorkerEvent, WorkerFact } from '../../../src/machines/worker-model.js';
import type { Reporter } from '../../../src/observability/reporter.js';
import { Effects } from '../exploring/effects.js';
import { ModelClock } from '../exploring/model-clock.js';
import type { Build, World } from '../exploring/world.js';
import { recordingReporter } from './recording-reporter.js';
import { containerIds, faultText, instanceType, settingsOf, type WorkerOptions } from './settings.js';
import {
  answers,
  answersOf,
  external,
  failure,
  listingOf,
  listings,
  nameOf,
  refusal,
  watchWords,
} from './words.js';
import { machinesOf, type WorkerStage } from './worker-logic.js';
import type { WorkerEntry } from '../../../src/fleet/worker-entry.js';

/** One instance in a roster, with its containers, under the reporter the daemon has; all its neighbours are scripted. */
export class WorkerModelWorld implements World {
  readonly #clock = new ModelClock(1_000_000);
  readonly #effects = new Effects((record) => this.#note(record));
  readonly #settings;
  readonly #roster: WorkerRoster;
  readonly #reporter: Reporter;
  #records: string[] = [];
  #cloudTags: Tags;
  #oldTags: Tags;
  #address: string;
  #sightings = 0;
  #tagsInFlight: Tags = {};
  readonly #stage: WorkerStage;

  constructor(options: WorkerOptions, build: Build) {
    const { stage, worker } = machinesOf(build);
    this.#stage = stage;
    this.#settings = settingsOf(options);
    const { tagKeys } = this.#settings;
    this.#cloudTags = {
      [tagKeys.instanceType]: instanceType.name,
      [tagKeys.idleBehavior]: options.behaviorTag,
      [tagKeys.instanceSecret]: 'sha256:00',
    };
    this.#oldTags = this.#cloudTags;
    this.#address = options.hasAddress ? '10.0.0.1:22' : '';
    const reporter = recordingReporter(this.#clock, (record) => this.#note(record));
    this.#reporter = reporter;
    this.#enter();
    this.#roster = new WorkerRoster({
      clock: this.#clock,
      machine: worker,
      missing: { lists: 2, graceMs: 0 },
      settings: this.#settings,
      connections: {
        add: () => this.#note('connection add'),
        update: () => this.#note('connection update'),
        remove: () => this.#note('connection remove'),
      },
      typeNamed: () => ({ type: instanceType, isConfigured: options.typeIsConfigured }),
      observer: {
        appeared: (entry) => reporter.workers.appeared(entry),
        fact: (entry, fact) => this.#fact(reporter, entry, fact),
        broke: (_, error) => this.#note(`broke ${String(error)}`),
        replaced: () => {},
        retired: (entry, last) => reporter.workers.retired(entry, last),
      },
    });
    this.#roster.see(this.#instance(this.#cloudTags), options.expected, {
      recorded: options.recorded ?? true,
    });
  }

  get #entry(): WorkerEntry | undefined {
    return this.#roster.get('i-1');
  }

  options(): string[] {
    if (!this.#entry) return [];
    const pending = this.#effects.names();
    const answering = pending.flatMap((name) => {
      if (name === 'watch') return watchWords.map((word) => `watch ${word}`);
      const [effect = '', container = ''] = name.split(' ');
      const isSafe = !this.#effects.has(`start ${container}`);
      const possible =
        name === 'run' ? listings : isSafe || effect === 'start' ? (answersOf[effect] ?? answers) : answers;
      return possible.map((answer) => `${name} ${answer}`);
    });
    // Nothing answers where no address is known.
    const reachable = this.#address === '' ? answering.filter((step) => step !== 'boot ok') : answering;
    return [...this.#clock.nextStep(), 'pause 3100', 'pause 6000', ...reachable, ...external];
  }

  apply(step: string): void {
    this.#enter();
    const [word = '', ...rest] = step.split(' ');
    const last = rest.at(-1) ?? '';
    if (word === 'pass' || word === 'pause') return this.#clock.pass(Number(last));
    if (word === 'listed') return this.#listed(last);
    if (word === 'missing') return this.#missing();
    if (word === 'watch') return this.#watch(rest[0] ?? '', rest[1]);
    const name = rest.length > 1 ? `${word} ${rest[0]}` : word;
    if (this.#effects.has(name)) return this.#answer(name, last);
    const event = this.#eventOf(word, last);
    if (!event) throw new Error(`"${step}" cannot happen now`);
    this.#roster.send('i-1', event);
  }

  take(): string[] {
    const records = this.#records;
    this.#records = [];
    return [...records, this.#view()];
  }

  key(): string {
    const entry = this.#entry;
    if (!entry) return 'gone';
    const { actor, missed } = entry;
    const { value, context, children } = actor.getSnapshot();
    const now = this.#clock.now();
    const { round, settings, runners } = context;
    const values = Object.values(children ?? {}).map(
      (child) => (child as AnyActorRef).getSnapshot() as { value?: unknown },
    );
    return JSON.stringify([
      value,
      values.map((snapshot) => snapshot.value),
      Object.entries(runners).map(([uuid, { phase, gaveUp }]) => [uuid, phase, gaveUp]),
      this.#effects.names().sort(),
      [
        context.bootOutcome,
        context.answered,
        context.destroyConfirmed,
        round.bootFailure !== undefined,
        missed,
      ],
      context.revision !== round.revision && value.probe !== 'resting',
      Object.keys(context.staleSince),
      context.failedStarts,
      context.instance.address,
      context.instance.tags[settings.tagKeys.idleBehavior] === context.idleBehavior,
      [
        round.startedAt - context.probedAt >= settings.timeoutProbeMs,
        round.startedAt - context.probedAt >= settings.timeoutBootingMs,
        now - context.probedAt >= settings.timeoutProbeMs,
        now - context.busyAt >= settings.timeoutIdleMs,
        now - context.appearedAt >= settings.timeoutBootingMs,
        now - context.appearedAt >= settings.timeoutBootingMs + 50_300,
        now - context.bootStageAt >= 31_000,
        context.verifiedAt !== undefined,
      ],
      this.#timers(),
    ]);
  }

  end(): void {
    this.#enter();
    this.#roster.stop();
  }

  /** The machines are shared by all worlds; from now on their effects are this world's. */
  #enter(): void {
    this.#stage.effects = this.#effects;
    this.#stage.reporter = this.#reporter;
    this.#stage.now = () => this.#clock.now();
    this.#stage.writesTags = (tags) => (this.#tagsInFlight = tags);
  }

  #timers(): string[] {
    const { _scheduledEvents: scheduled } = this.#entry!.actor.system.getSnapshot() as unknown as {
      _scheduledEvents: Record<string, { event: { type: string } }>;
    };
    return Object.values(scheduled)
      .map(({ event }) => event.type)
      .sort();
  }

  #listed(how: string): void {
    if (how === 'address') this.#address = '10.0.0.1:22';
    this.#roster.beginList();
    this.#roster.see(this.#instance(how === 'old-tags' ? this.#oldTags : this.#cloudTags), false);
  }

  #missing(): void {
    this.#roster.beginList();
    this.#roster.retireMissing(new Set());
  }

  #watch(what: string, container: string | undefined): void {
    const uuid = containerIds[container ?? ''] ?? '';
    if (what === 'fault') return this.#effects.fail('watch', new Error(faultText));
    const events: Record<string, WorkerEvent> = {
      attached: { type: 'watch.attached' },
      started: { type: 'watch.started', uuid },
      ended: { type: 'watch.ended', uuid },
      broken: { type: 'watch.broken' },
      interruption: { type: 'watch.interruption', notice: 'the spot market wants it back' },
      closed: { type: 'watch.closed', supported: true, message: '' },
      unknown: { type: 'watch.closed', supported: false, message: '' },
    };
    this.#effects.tell('watch', events[what]!);
  }

  #answer(name: string, answer: string): void {
    const [effect] = name.split(' ');
    if (answer === 'fault') return this.#effects.fail(name, new Error(faultText));
    if (effect === 'tags' && answer === 'ok') {
      this.#oldTags = this.#cloudTags;
      this.#cloudTags = this.#tagsInFlight;
    }
    if (answer === 'poison') return this.#effects.succeed(name, undefined);
    const outcome = answer === 'fail' ? failure : { ok: true };
    if (answer === 'refused') return this.#effects.succeed(name, { ...failure, ...refusal });
    if (effect !== 'run') return this.#effects.succeed(name, outcome);
    if (answer === 'fail') return this.#effects.succeed(name, { ...failure, durationMs: 5 });
    if (answer === 'gone') return this.#effects.succeed(name, { ...failure, exitCode: 127, durationMs: 5 });
    this.#effects.succeed(name, { ok: true, listing: listingOf(answer), durationMs: 5 });
  }

  #eventOf(word: string, last: string): WorkerEvent | undefined {
    const uuid = containerIds[last] ?? '';
    const because = 'somebody wants it';
    switch (word) {
      case 'assign':
        return { type: 'container.assigned', uuid, queuedAt: this.#clock.now() - 5_000 };
      case 'kill':
        return { type: 'container.kill', uuid, because };
      case 'operator':
        return { type: `operator.${last}` as 'operator.run', because };
      case 'scheduler':
        return last === 'keep' ? { type: 'scheduler.keep' } : { type: 'scheduler.shutdown', because };
      case 'due':
        return { type: 'probe.due' };
      case 'established':
        return { type: 'connection.established' };
      case 'verified':
        return { type: 'connection.verified' };
      default:
        return undefined;
    }
  }

  #instance(tags: Tags): Instance {
    return {
      id: 'i-1',
      displayName: `sighting ${++this.#sightings}`,
      providerType: instanceType.providerType,
      address: this.#address,
      remoteUser: 'root',
      tags,
      priceHistory: [],
    };
  }

  #note(record: string): void {
    this.#records.push(record);
  }

  #view(): string {
    const entry = this.#entry;
    if (!entry) return 'view none';
    const view = viewOfWorker(entry.actor.getSnapshot());
    return [
      `view ${view.workerState}${view.isOrphan ? ' (orphan)' : ''} ${view.bootStage ?? '-'} ${view.idleBehavior}`,
      `[${view.containerUuids.map(nameOf).join(' ')}]`,
      `last=${nameOf(view.lastContainerUuid)} busy=${view.lastBusyAt} address=${view.address}`,
    ].join(' ');
  }

  #fact(reporter: Reporter, { instance }: WorkerEntry, fact: WorkerFact): void {
    reporter.workers.fact(instance.id, fact);
    if (fact.type === 'probe.rested' || fact.type === 'probe.wanted') this.#note(`pool ${fact.type}`);
    if (fact.type === 'container.exited') this.#note(`pool exited ${nameOf(fact.uuid)} at ${fact.at}`);
  }
}
