import type { InstanceConduct } from '../../domain/conduct-view.js';
import type { ChartState } from '../../machines/inspection/active-states.js';
import type { PendingTimer } from '../../machines/inspection/pending-timers.js';
import { misconductRemedy, quarantineRemedy, rebooted, type BootStage } from '../../domain/instance.js';
import { dollarText, futureText, pastText } from './format-time.js';
import type { WorkerSnapshot } from '../../machines/worker.js';
import { knownSince, workerStateOf } from '../../machines/worker-state.js';

export interface WorkerFacts {
  snapshot: WorkerSnapshot;
  chart: ChartState | undefined;
  now: number;
  /** When and why it entered its state, if the journal still has it. */
  entered: { at: number; because: string } | undefined;
  /** Its violations, if known. */
  conduct?: InstanceConduct | undefined;
}

const nextStages: Readonly<Record<BootStage, string>> = {
  requested: 'it has no address yet',
  addressed: 'no SSH server responds at its address yet',
  connected: 'an SSH server responds, but has not proved its identity yet',
  verified: 'the boot probe has not succeeded yet',
  booted: 'the runner program is being copied',
  copied: 'the runner program has not responded yet',
};

/** Describes the state of an instance with its cause, and what ends it. */
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
          `It has been quarantined since ${pastText(quarantine.at, now)}, because ${quarantine.because}. No container starts on it.`,
          `To end the quarantine: ${misconductRemedy(id)}.`,
        ]
      : []),
    ...(did.length > 0 ? [`It violated limits: ${did.join('; ')}.`] : []),
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
        'It existed before this daemon started, or this daemon did not create it. It enters service when it responds; its containers continue.',
        held
          ? 'It has no time limit, because it is on hold.'
          : `If it does not respond, it is destroyed at ${futureText(context.probedAt + context.settings.timeoutBootingMs, now)}.`,
      ];
    case 'booting': {
      const stage = timer('lifecycle.booting');
      const { probedAt, settings } = context;
      const until = Math.min(stage?.firesAt ?? Infinity, probedAt + settings.timeoutBootingMs);
      const limit = held
        ? 'It has no time limit, because it is on hold.'
        : `It is destroyed if the boot does not proceed by ${futureText(until, now)}.`;
      return [
        `Its boot reached the stage ${context.bootStage} at ${pastText(context.bootStageAt, now)}: ${nextStages[context.bootStage]}.`,
        limit,
      ];
    }
    case 'idle': {
      if (context.idleBehavior !== 'run') return [];
      const until = timer('lifecycle.idle')?.firesAt ?? context.busyAt + context.settings.timeoutIdleMs;
      return [`It idles and is destroyed at ${futureText(until, now)}, unless a container starts on it.`];
    }
    case 'running':
      return [`Its containers: ${runnersOf(snapshot, chart, now).join('; ')}.`];
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
    'It is an orphan: its tags belong to this set, but there is no launch record, and it never responded.',
    removes
      ? `It is destroyed at ${futureText(timer.firesAt, now)} unless it responds.`
      : 'It is left alone: destroy it with kill if it is unused, or set pool.removeOrphans.',
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
      `It has been quarantined since ${pastText(quarantine.at, now)}, because ${quarantine.because}. No container starts on it.`,
      `To end the quarantine: ${quarantineRemedy(id)} (with --force if login to the host is impossible and nothing runs there).`,
      ...on,
    ];
  const destroyCall = context.destroyConfirmed
    ? 'The provider accepted the destroy call. The instance has terminated when the provider no longer lists it.'
    : 'The provider has not accepted the destroy call yet.';
  const again = timer
    ? [`The destroy call is repeated at ${futureText(timer.firesAt, now)} if the instance is still listed.`]
    : [];
  return [destroyCall, ...again, ...on];
}

function runnersOf({ context }: WorkerSnapshot, chart: ChartState | undefined, now: number): string[] {
  return Object.entries(context.runners).map(([uuid, { phase, gaveUp }]) => {
    const runner = chart?.runners.find((each) => each.uuid === uuid);
    const isStopping = runner?.active.some((path) => path.startsWith('alive.stop.terminating')) ?? false;
    const next = runner?.timers.find(({ state }) => state.startsWith('alive.stop'));
    if (gaveUp) return `${uuid} (could not be stopped)`;
    if (isStopping)
      return `${uuid} (stopping${next ? `, next signal at ${futureText(next.firesAt, now)}` : ''})`;
    if (phase === 'collecting') return `${uuid} (ended; its result is being collected)`;
    return `${uuid} (${phase})`;
  });
}

function behaviorSentences({ snapshot }: WorkerFacts): string[] {
  const { idleBehavior, behaviorBecause } = snapshot.context;
  const why = behaviorBecause === 'default' ? '' : ` (${behaviorBecause})`;
  switch (idleBehavior) {
    case 'run':
      return why === '' ? [] : [`It accepts containers${why}.`];
    case 'hold':
      return [
        `It is on hold${why}: no container starts on it, and it does not shut down until an operator runs, drains or kills it.`,
      ];
    case 'drain':
      return [`It is draining${why}: no container starts on it, and it is destroyed when it is empty.`];
  }
}

function setUpAgainSentence({ context }: WorkerSnapshot): string {
  const because = context.setupLostBecause;
  const how = because === rebooted ? 'after a reboot' : `because ${because}`;
  return `It is being set up again ${how}: no container starts on it until the boot probe and the runner program succeed.`;
}

function troubleSentences({ snapshot, chart, now }: WorkerFacts): string[] {
  const { lastFailure, probedAt, answered, setupLostBecause } = snapshot.context;
  const lines: string[] = [];
  if (setupLostBecause !== '') lines.push(setUpAgainSentence(snapshot));
  if (lastFailure) lines.push(`Its last failure: ${lastFailure.message} (${lastFailure.code}).`);
  if (answered) lines.push(`It last responded at ${pastText(probedAt, now)}.`);
  const tags = chart?.timers.find(({ state }) => state.startsWith('tags.retrying'));
  if (tags) lines.push(`Its tags could not be written; the next try is at ${futureText(tags.firesAt, now)}.`);
  const watch = chart?.timers.find(({ state }) => state.startsWith('watch.pausing'));
  if (watch) {
    const again = futureText(watch.firesAt, now);
    lines.push(
      `Its watch channel is closed and is reopened at ${again}; until then only probes detect ended containers.`,
    );
  }
  return lines;
}
