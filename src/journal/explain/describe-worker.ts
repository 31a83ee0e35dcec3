import type { InstanceConduct } from '../../domain/conduct-view.js';
import type { ChartState } from '../../machines/inspection/active-states.js';
import type { PendingTimer } from '../../machines/inspection/pending-timers.js';
import { knownSince, workerStateOf } from '../../fleet/worker-views.js';
import type { WorkerSnapshot } from '../../fleet/worker-registry.js';
import { misconductRemedy, quarantineRemedy, rebooted, type BootStage } from '../../domain/instance.js';
import { dollarText, futureText, pastText } from './format-time.js';

export interface WorkerFacts {
  snapshot: WorkerSnapshot;
  chart: ChartState | undefined;
  now: number;
  /** When it came into its state and why, as far as the journal reaches. */
  entered: { at: number; because: string } | undefined;
  /** What it did that it must not, as far as that is known. */
  conduct?: InstanceConduct | undefined;
}

const nextStages: Readonly<Record<BootStage, string>> = {
  requested: 'its address is not known yet',
  addressed: 'no SSH server answers at its address yet',
  connected: 'an SSH server answers, but has not proved yet that it is this instance',
  verified: 'the boot probe command has not succeeded yet',
  booted: 'the runner program is being copied to it',
  copied: 'the runner program has not answered yet',
};

/** How an instance is and why, and what ends that. */
export function describeWorker(facts: WorkerFacts): string[] {
  const { snapshot, now } = facts;
  const { context } = snapshot;
  const { instanceType, instance } = context;
  const appearedAt = knownSince(context);
  const hours = (now - appearedAt) / 3_600_000;
  return [
    stateSentence(facts),
    ...endSentences(facts),
    ...behaviorSentences(facts),
    ...troubleSentences(facts),
    ...conductSentences(facts),
    `Its type is ${instanceType.name}, at $${instanceType.price} an hour, ${dollarText(hours * instanceType.price)} so far.`,
    `It appeared at ${pastText(appearedAt, now)}${instance.address === '' ? '' : `; its address is ${instance.address}`}.`,
  ];
}

function conductSentences({ snapshot, conduct, now }: WorkerFacts): string[] {
  if (!conduct) return [];
  const { strikes, claimsRefused, bytesLeftOut, quarantine } = conduct;
  const kinds = Object.entries(strikes).map(([kind, count]) => `${count} ${kind}`);
  const did = [
    ...(kinds.length > 0 ? [`strikes by kind: ${kinds.join(', ')}`] : []),
    ...(claimsRefused > 0 ? [`claims refused: ${claimsRefused}`] : []),
    ...(bytesLeftOut > 0 ? [`bytes left out of the journal: ${bytesLeftOut}`] : []),
  ];
  const { id } = snapshot.context.instance;
  return [
    ...(quarantine
      ? [
          `It is in quarantine since ${pastText(quarantine.at, now)}, because ${quarantine.because}. Nothing is given to it.`,
          `An operator ends that: ${misconductRemedy(id)}.`,
        ]
      : []),
    ...(did.length > 0 ? [`It did what an instance must not: ${did.join('; ')}.`] : []),
  ];
}

function stateSentence({ snapshot, entered, now }: WorkerFacts): string {
  const state = workerStateOf(snapshot);
  const { id } = snapshot.context.instance;
  const how = state === 'shutdown' ? 'shutting down' : state;
  if (!entered) return `Instance ${id} is ${how}.`;
  return `Instance ${id} has been ${how} since ${pastText(entered.at, now)}, because ${entered.because}.`;
}

function endSentences({ snapshot, chart, now }: WorkerFacts): string[] {
  const { context } = snapshot;
  const timer = (state: string): PendingTimer | undefined =>
    chart?.timers.find((each) => each.state.startsWith(state));
  const held = context.idleBehavior === 'hold';
  switch (workerStateOf(snapshot)) {
    case 'unknown':
      if (snapshot.value.lifecycle === 'orphaned')
        return orphanSentences(snapshot, timer('lifecycle.orphaned'), now);
      return [
        'It was there before this daemon started, or this daemon did not ask for it. It is put into service once it answers; what runs on it goes on.',
        held
          ? 'There is no time limit, because it is on hold.'
          : `If it does not answer, it will be destroyed at ${futureText(context.probedAt + context.settings.timeoutBootingMs, now)}.`,
      ];
    case 'booting': {
      const stage = timer('lifecycle.booting');
      const { probedAt, settings } = context;
      const until = Math.min(stage?.firesAt ?? Infinity, probedAt + settings.timeoutBootingMs);
      const limit = held
        ? 'There is no time limit, because it is on hold.'
        : `It will be destroyed if it gets no further by ${futureText(until, now)}.`;
      return [
        `Its boot reached the stage ${context.bootStage} at ${pastText(context.bootStageAt, now)}: ${nextStages[context.bootStage]}.`,
        limit,
      ];
    }
    case 'idle': {
      if (context.idleBehavior !== 'run') return [];
      const until = timer('lifecycle.idle')?.firesAt ?? context.busyAt + context.settings.timeoutIdleMs;
      return [
        `It will be destroyed for being idle at ${futureText(until, now)}, unless it is given a container.`,
      ];
    }
    case 'running':
      return [`Containers on it: ${runnersOf(snapshot, chart, now).join('; ')}.`];
    case 'shutdown':
      return shutdownSentences(snapshot, timer('lifecycle.shutdown'), now);
  }
}

function orphanSentences(
  { context }: WorkerSnapshot,
  timer: PendingTimer | undefined,
  now: number,
): string[] {
  const removes = context.settings.removesOrphans && timer;
  return [
    'Its tags say that it belongs to this set, but there is no record that anybody asked for it, and it never answered.',
    removes
      ? `It will be destroyed at ${futureText(timer.firesAt, now)} unless it answers.`
      : 'It is left alone; kill it if nobody needs it, or set pool.removeOrphans.',
  ];
}

function shutdownSentences(
  { context }: WorkerSnapshot,
  timer: PendingTimer | undefined,
  now: number,
): string[] {
  const { quarantine, id } = context.instance;
  const lost = Object.keys(context.runners);
  const on =
    lost.length === 0 ? [] : [`Until then these containers count as running on it: ${lost.join(', ')}.`];
  if (quarantine)
    return [
      `It is in quarantine since ${pastText(quarantine.at, now)}, because ${quarantine.because}. Nothing is given to it.`,
      `An operator ends that: ${quarantineRemedy(id)} (with --force where the host cannot be logged in to, and nothing runs there).`,
      ...on,
    ];
  const told = context.destroyConfirmed
    ? 'The provider accepted the order to destroy it. It is gone once the provider no longer lists it.'
    : 'The provider has not accepted the order to destroy it yet.';
  const again = timer
    ? [`The order will be repeated at ${futureText(timer.firesAt, now)} if it is still listed.`]
    : [];
  return [told, ...again, ...on];
}

function runnersOf({ context }: WorkerSnapshot, chart: ChartState | undefined, now: number): string[] {
  return Object.entries(context.runners).map(([uuid, { phase, gaveUp }]) => {
    const runner = chart?.runners.find((each) => each.uuid === uuid);
    const isStopping = runner?.active.some((path) => path.startsWith('alive.stop.terminating')) ?? false;
    const next = runner?.timers.find(({ state }) => state.startsWith('alive.stop'));
    if (gaveUp) return `${uuid} (could not be stopped)`;
    if (isStopping)
      return `${uuid} (told to stop${next ? `, again at ${futureText(next.firesAt, now)}` : ''})`;
    if (phase === 'collecting') return `${uuid} (ended; its result is being collected)`;
    return `${uuid} (${phase})`;
  });
}

function behaviorSentences({ snapshot }: WorkerFacts): string[] {
  const { idleBehavior, behaviorBecause } = snapshot.context;
  const why = behaviorBecause === 'default' ? '' : ` (${behaviorBecause})`;
  switch (idleBehavior) {
    case 'run':
      return why === '' ? [] : [`It may take containers${why}.`];
    case 'hold':
      return [
        `It is on hold${why}: it takes no containers, and stays until somebody runs, drains or kills it.`,
      ];
    case 'drain':
      return [`It is draining${why}: it takes no more containers, and will be destroyed once it is empty.`];
  }
}

function setUpAgainSentence({ context }: WorkerSnapshot): string {
  const because = context.setupLostBecause;
  const how = because === rebooted ? 'after a reboot' : `because ${because}`;
  return `It is being set up again ${how}: it takes no containers until the boot probe and the runner program succeed.`;
}

function troubleSentences({ snapshot, chart, now }: WorkerFacts): string[] {
  const { lastFailure, probedAt, answered, setupLostBecause } = snapshot.context;
  const lines: string[] = [];
  if (setupLostBecause !== '') lines.push(setUpAgainSentence(snapshot));
  if (lastFailure) lines.push(`Its last failure: ${lastFailure.message} (${lastFailure.code}).`);
  if (answered) lines.push(`It last answered at ${pastText(probedAt, now)}.`);
  const tags = chart?.timers.find(({ state }) => state.startsWith('tags.retrying'));
  if (tags)
    lines.push(`Its tags could not be written; this is tried again at ${futureText(tags.firesAt, now)}.`);
  const watch = chart?.timers.find(({ state }) => state.startsWith('watch.pausing'));
  if (watch) {
    const again = futureText(watch.firesAt, now);
    lines.push(
      `The connection that reports ended containers at once is down. It is tried again at ${again}; until then probes find them.`,
    );
  }
  return lines;
}
