import type { ChartState } from '../actors/chart-state.js';
import type { PendingTimer } from '../actors/pending-timers.js';
import { workerStateOf } from '../actors/pool-views.js';
import type { WorkerSnapshot } from '../actors/roster.js';
import type { BootStage } from '../domain/instance.js';
import { dollarText, futureText, pastText } from './time-text.js';

export interface WorkerFacts {
  snapshot: WorkerSnapshot;
  chart: ChartState | undefined;
  now: number;
  /** When it came into its state and why, as far as the journal reaches. */
  entered: { at: number; because: string } | undefined;
}

const nextStages: Readonly<Record<BootStage, string>> = {
  requested: 'its address is not known yet',
  addressed: 'no SSH server answers at its address yet',
  connected: 'an SSH server answers and has yet to prove that it is this instance',
  verified: 'the boot probe command does not succeed yet',
  booted: 'the runner program is still being brought there',
  copied: 'the runner program has yet to answer',
};

/** How an instance is and why, and what ends that. */
export function describeWorker(facts: WorkerFacts): string[] {
  const { snapshot, now } = facts;
  const { context } = snapshot;
  const { instanceType, appearedAt, instance } = context;
  const hours = (now - appearedAt) / 3_600_000;
  return [
    stateSentence(facts),
    ...endSentences(facts),
    ...behaviorSentences(facts),
    ...troubleSentences(facts),
    `It is of type ${instanceType.name} at $${instanceType.price} an hour and ${dollarText(hours * instanceType.price)} so far, known since ${pastText(appearedAt, now)}${instance.address === '' ? '' : `, at ${instance.address}`}.`,
  ];
}

function stateSentence({ snapshot, entered, now }: WorkerFacts): string {
  const state = workerStateOf(snapshot);
  const since = entered ? ` since ${pastText(entered.at, now)}, because ${entered.because}` : '';
  return `Instance ${snapshot.context.instance.id} is ${state}${since}.`;
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
        'It was in the list when the daemon began, or nobody here asked for it; it comes into service when it answers, and what runs there goes on.',
        held
          ? 'It is waited for without limit, because it is on hold.'
          : `If it does not answer, it is destroyed at ${futureText(context.probedAt + context.settings.timeoutBootingMs, now)}.`,
      ];
    case 'booting': {
      const stage = timer('lifecycle.booting');
      const { probedAt, settings } = context;
      const until = Math.min(stage?.firesAt ?? Infinity, probedAt + settings.timeoutBootingMs);
      const limit = held
        ? 'It is waited for without limit, because it is on hold.'
        : `It is given up and destroyed if that takes beyond ${futureText(until, now)}.`;
      return [
        `Its boot is at stage ${context.bootStage} since ${pastText(context.bootStageAt, now)}: ${nextStages[context.bootStage]}.`,
        limit,
      ];
    }
    case 'idle': {
      if (context.idleBehavior !== 'run') return [];
      const until = timer('lifecycle.idle')?.firesAt ?? context.busyAt + context.settings.timeoutIdleMs;
      return [`It is destroyed for idling at ${futureText(until, now)}, unless it is given a container.`];
    }
    case 'running':
      return [`On it: ${runnersOf(snapshot, chart, now).join('; ')}.`];
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
    'Its tags say that it is one of this set, nothing here says that it was asked for, and it never answered.',
    removes
      ? `It is destroyed at ${futureText(timer.firesAt, now)} unless it answers.`
      : 'It is left alone; kill it if nobody needs it, or set pool.removeOrphans.',
  ];
}

function shutdownSentences(
  { context }: WorkerSnapshot,
  timer: PendingTimer | undefined,
  now: number,
): string[] {
  const told = context.destroyConfirmed
    ? 'The provider confirmed that it destroys it; it is gone when it leaves the list.'
    : 'The provider has not confirmed the order to destroy it yet.';
  const again = timer
    ? [`The order is repeated at ${futureText(timer.firesAt, now)} if it is still listed.`]
    : [];
  const lost = Object.keys(context.runners);
  const on = lost.length === 0 ? [] : [`Until then these count as running there: ${lost.join(', ')}.`];
  return [told, ...again, ...on];
}

function runnersOf({ context }: WorkerSnapshot, chart: ChartState | undefined, now: number): string[] {
  return Object.entries(context.runners).map(([uuid, { phase, gaveUp }]) => {
    const runner = chart?.runners.find((each) => each.uuid === uuid);
    const isStopping = runner?.active.some((path) => path.startsWith('alive.stop.terminating')) ?? false;
    const next = runner?.timers.find(({ state }) => state.startsWith('alive.stop'));
    if (gaveUp) return `${uuid} (could not be made to end)`;
    if (isStopping)
      return `${uuid} (asked to end${next ? `, again at ${futureText(next.firesAt, now)}` : ''})`;
    if (phase === 'collecting') return `${uuid} (ended; its result is being brought home)`;
    return `${uuid} (${phase})`;
  });
}

function behaviorSentences({ snapshot }: WorkerFacts): string[] {
  const { idleBehavior, behaviorBecause } = snapshot.context;
  const why = behaviorBecause === 'default' ? '' : `: ${behaviorBecause}`;
  switch (idleBehavior) {
    case 'run':
      return why === '' ? [] : [`It may take containers${why}.`];
    case 'hold':
      return [`It is on hold, takes no container, and stays until somebody runs, drains or kills it${why}.`];
    case 'drain':
      return [`It drains: it takes no container, and is destroyed when none is left${why}.`];
  }
}

function troubleSentences({ snapshot, chart, now }: WorkerFacts): string[] {
  const { lastFailure, probedAt, answered } = snapshot.context;
  const lines: string[] = [];
  if (lastFailure) lines.push(`Its last failure: ${lastFailure.message} (${lastFailure.code}).`);
  if (answered) lines.push(`It last answered ${pastText(probedAt, now)}.`);
  const tags = chart?.timers.find(({ state }) => state.startsWith('tags.retrying'));
  if (tags) lines.push(`Its tags could not be written; tried again at ${futureText(tags.firesAt, now)}.`);
  const watch = chart?.timers.find(({ state }) => state.startsWith('watch.pausing'));
  if (watch) {
    const again = futureText(watch.firesAt, now);
    lines.push(
      `The channel that tells of ends at once is broken; probes tell until it is opened again, at ${again}.`,
    );
  }
  return lines;
}
