// What the journal costs of the rate at which workers change: the same lives with it and without, in turn, in one process.
import { join } from 'node:path';
import { createActor, fromCallback, fromPromise } from 'xstate';
import { observed, type TransitionObserver } from '../src/machines/inspection/observe-transitions.js';
import type { Config } from '../src/config/config.js';
import { workerSettings } from '../src/daemon/worker-settings.js';
import { systemClock } from '../src/domain/clock.js';
import type { Instance, Tags } from '../src/domain/instance.js';
import type { InstanceType } from '../src/domain/instance-type.js';
import type { JournalEntry } from '../src/journal/journal.js';
import { StoreJournal } from '../src/journal/store-journal.js';
import { createLog } from '../src/observability/log.js';
import { runnerMachine } from '../src/machines/runner.js';
import type {
  ContainerOnInstance,
  OnInstance,
  RemoteOutcome,
  RunProbeOutcome,
} from '../src/machines/worker-effects.js';
import type { WorkerEvent, WorkerSettings } from '../src/machines/worker-model.js';
import { workerMachine } from '../src/machines/worker.js';
import { openDatabase } from '../src/queue/store/database.js';
import { Metrics } from '../src/observability/metrics.js';
import { Reporter } from '../src/observability/reporter.js';
import { threadTimeMs } from './bench-parts.js';

/** Shares of the processor's time, 0 to 1, in the rounds that others on the machine disturbed least. */
export interface Shares {
  /** What writing entries takes: from being appended to being in the store. */
  store: number;
  /** The same for all that is told of a worker: journal, steps for replay, log (silent), metrics and monitor. */
  told: number;
}

export interface JournalCost {
  /** Of the thread that workers live on, which sets the rate of their transitions. */
  thread: Shares;
  /** Of all threads, those of the database and of the garbage collector among them. */
  process: Shares;
  /** Transitions of workers in a second of that thread, with all of it. */
  perSecond: number;
  entriesPerTransition: number;
}

/** Processor time in ms. */
interface Times {
  thread: number;
  process: number;
}

const roundsOfAll = 25;
const livesEach = 100;
const containersEach = 4;

/** Workers boot, run containers, idle, are destroyed and leave; `config` and `type` as a daemon would have them. */
export async function benchJournal(folder: string, config: Config, type: InstanceType): Promise<JournalCost> {
  const db = await openDatabase({ url: join(folder, 'journal.db') });
  const store = new StoreJournal({
    db,
    clock: systemClock,
    flushMs: 50,
    ...config.journal,
    onFault: (error) => {
      throw error;
    },
  });
  const settings = workerSettings(config, true);
  let [entries, transitions] = [0, 0];
  const run = async (observe: TransitionObserver<typeof workerMachine>): Promise<Times> => {
    const machine = observed(logic, systemClock, (event, before, after, step) => {
      if (before.value !== after.value) transitions++;
      observe(event, before, after, step);
    });
    const from = timesNow();
    for (let life = 0; life < livesEach; life++) await live(machine, settings, type, life);
    await store.flush();
    const to = timesNow();
    return { thread: to.thread - from.thread, process: to.process - from.process };
  };
  const told = (append: (entry: JournalEntry) => void): Promise<Times> => {
    const reporter = new Reporter({
      config,
      clock: systemClock,
      log: createLog('silent'),
      journal: { append },
      metrics: metricsFor(),
    });
    return run((...step) => reporter.workers.stepped(...step));
  };
  const variants = {
    bare: () => run(() => {}),
    unwritten: () => told(() => {}),
    whole: () =>
      told((entry) => {
        entries++;
        store.append(entry);
      }),
  };
  for (const variant of Object.values(variants)) await variant();
  entries = transitions = 0;
  const rounds: Record<keyof typeof variants, Times>[] = [];
  for (let round = 0; round < roundsOfAll; round++) {
    rounds.push({
      bare: await variants.bare(),
      unwritten: await variants.unwritten(),
      whole: await variants.whole(),
    });
  }
  await db.destroy();
  const inRound = transitions / 3 / roundsOfAll;
  const shares = (of: keyof Times): Shares => {
    const least = (variant: keyof typeof variants) => Math.min(...rounds.map((round) => round[variant][of]));
    return { store: 1 - least('unwritten') / least('whole'), told: 1 - least('bare') / least('whole') };
  };
  return {
    thread: shares('thread'),
    process: shares('process'),
    perSecond: (inRound / Math.min(...rounds.map(({ whole }) => whole.thread))) * 1_000,
    entriesPerTransition: entries / roundsOfAll / inRound,
  };
}

function timesNow(): Times {
  const { user, system } = process.cpuUsage();
  return { thread: threadTimeMs(), process: (user + system) / 1_000 };
}

function metricsFor(): Metrics {
  const schedule = {
    allocatedNotStarted: 0,
    overQuota: 0,
    longestWaitSeconds: 0,
    last503Seconds: 0,
    maxContainers: 0,
  };
  const none = () => [];
  return new Metrics({
    clock: systemClock,
    workers: none,
    atQuota: () => false,
    typeNames: none,
    queueEntries: none,
    schedule: () => schedule,
  });
}

const ok = () => fromPromise<RemoteOutcome, OnInstance>(() => Promise.resolve({ ok: true }));
const onContainer = () =>
  fromPromise<RemoteOutcome, ContainerOnInstance>(() => Promise.resolve({ ok: true }));
const listing = { live: [], stale: [], ended: [], broken: false, interruption: '' };

/** Effects that are done at once. */
const logic = workerMachine.provide({
  actors: {
    runner: runnerMachine.provide({
      actors: { startContainer: onContainer(), killContainer: onContainer(), collectResult: onContainer() },
    }),
    bootProbe: ok(),
    copyRunner: ok(),
    saveTags: fromPromise<RemoteOutcome, OnInstance & { tags: Tags }>(() => Promise.resolve({ ok: true })),
    destroyInstance: ok(),
    watch: fromCallback(() => () => {}),
    runProbe: fromPromise<RunProbeOutcome, OnInstance>(() =>
      Promise.resolve({ ok: true, durationMs: 1, listing }),
    ),
  },
});

/** From its first sight until it left the list. */
async function live(
  machine: typeof workerMachine,
  settings: WorkerSettings,
  instanceType: InstanceType,
  number: number,
): Promise<void> {
  const { tagKeys } = settings;
  const instance: Instance = {
    id: `i-${number}`,
    displayName: `i-${number}`,
    providerType: instanceType.providerType,
    address: '127.0.0.1:22',
    remoteUser: 'root',
    tags: {
      [tagKeys.instanceType]: instanceType.name,
      [tagKeys.idleBehavior]: 'run',
      [tagKeys.instanceSecret]: 'sha256:00',
    },
    priceHistory: [],
  };
  const input = {
    clock: systemClock,
    settings,
    instance,
    instanceType,
    typeIsConfigured: true,
    expected: true,
  };
  const actor = createActor(machine, { id: instance.id, clock: systemClock, input });
  actor.subscribe({
    error: (error) => {
      throw error;
    },
  });
  actor.start();
  const send = async (event: WorkerEvent): Promise<void> => {
    actor.send(event);
    await new Promise((resolve) => setImmediate(resolve));
  };
  await send({ type: 'connection.established' });
  await send({ type: 'connection.verified' });
  await send({ type: 'probe.due' });
  for (let each = 0; each < containersEach; each++) {
    const uuid = `bench-dz642-${String(number * containersEach + each).padStart(15, '0')}`;
    await send({ type: 'container.assigned', uuid, queuedAt: 0 });
    await send({ type: 'watch.ended', uuid });
  }
  await send({ type: 'probe.due' });
  await send({ type: 'scheduler.shutdown', because: 'the bench is over' });
  await send({ type: 'instance.missing' });
  if (!actor.getSnapshot().matches({ lifecycle: 'gone' })) throw new Error('a life did not end');
  actor.stop();
}
