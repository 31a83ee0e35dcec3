import { enqueueActions } from 'xstate';
import type { BootOutcome } from '../domain/instance.js';
import {
  applyListing,
  isOtherAttempt,
  trackStaleLocks,
  type ListingChange,
  type RunnerRecord,
} from '../policy/apply-listing.js';
import type { runnerMachine } from './runner.js';
import type { RunnerInput, RunnerOutput } from './runner-setup.js';
import type { RemoteFailure, RemoteOutcome, RunProbeOutcome } from './worker-effects.js';
import {
  brokenBecause,
  brokenByStarts,
  failedStartsAfter,
  setupLostBecause,
  type WorkerContext,
  type WorkerEvent,
  type WorkerFact,
} from './worker-model.js';

/** A rejected effect is a fault of ours; the worker treats it as a failed step and goes on. */
export const faultOf = (error: unknown): RemoteFailure => ({
  ok: false,
  code: 'fault',
  message: error instanceof Error ? error.message : String(error),
  stdout: '',
  stderr: '',
  expected: false,
});

/** A change of one container's record; nothing for one that is not known. */
export const withRunner = (
  context: WorkerContext,
  uuid: string,
  change: Partial<RunnerRecord>,
): Partial<WorkerContext> => {
  const record = context.runners[uuid];
  if (!record) return {};
  return {
    runners: { ...context.runners, [uuid]: { ...record, ...change } },
    revision: context.revision + 1,
  };
};

type RunnerActor = { src: 'runner'; logic: typeof runnerMachine; id: string };

/** An action of several steps, typed for the worker: XState infers too little for these inside `setup`. */
const steps = <TParams = undefined>(
  body: Parameters<
    typeof enqueueActions<
      WorkerContext,
      WorkerEvent,
      TParams,
      WorkerEvent,
      RunnerActor,
      never,
      never,
      never,
      WorkerFact
    >
  >[0],
) =>
  enqueueActions<
    WorkerContext,
    WorkerEvent,
    TParams,
    WorkerEvent,
    RunnerActor,
    never,
    never,
    never,
    WorkerFact
  >(body);

type Enqueue = Parameters<Parameters<typeof steps>[0]>[0]['enqueue'];
type Self = Parameters<Parameters<typeof steps>[0]>[0]['self'];

const spawnRunner = (
  enqueue: Enqueue,
  context: WorkerContext,
  uuid: string,
  origin: RunnerInput['origin'],
): void => {
  const { collects, runnerTimings: timings } = context.settings;
  enqueue.spawnChild('runner', {
    id: uuid,
    input: { instanceId: context.instance.id, uuid, origin, collects, timings },
  });
};

/** Lets the container's actor know what was seen of it; one nobody knew yet gets its actor now. */
const tellRunner = (enqueue: Enqueue, context: WorkerContext, self: Self, change: ListingChange): void => {
  const { uuid, kind } = change;
  if (kind === 'adopt' || kind === 'adoptEnded') {
    spawnRunner(enqueue, context, uuid, kind === 'adopt' ? 'listed' : 'ended');
    return;
  }
  if (self.getSnapshot().children?.[uuid]) enqueue.sendTo(uuid, { type: `process.${kind}` });
  if (kind === 'missing') {
    enqueue.emit({ type: 'container.exited', uuid, ending: 'missing', at: context.clock.now() });
  }
};

/** The actions of the worker's chart that take several steps. */
export const workerActions = {
  noteVerified: steps(({ context, enqueue }) => {
    if (context.verifiedAt !== undefined) return;
    const now = context.clock.now();
    enqueue.assign({ verifiedAt: now });
    enqueue.emit({ type: 'boot.verified', sinceAppearedMs: now - context.appearedAt });
  }),
  noteReady: steps(({ context, enqueue }) => {
    if (context.verifiedAt === undefined) return;
    enqueue.emit({ type: 'boot.ready', sinceVerifiedMs: context.clock.now() - context.verifiedAt });
  }),
  decideBoot: steps<{ outcome: BootOutcome }>(({ context, enqueue }, params) => {
    if (context.bootOutcome !== undefined) return;
    enqueue.assign({ bootOutcome: params.outcome });
    enqueue.emit({ type: 'boot.decided', outcome: params.outcome });
  }),
  raiseRoundPassed: steps<RunProbeOutcome>(({ context, enqueue }, params) => {
    if (!params.ok) return;
    enqueue.assign({
      answered: true,
      bootId: params.bootId ?? context.bootId,
      setupLostBecause: '',
      staleSince: trackStaleLocks(context.staleSince, params.listing.stale, context.clock.now()),
    });
    enqueue.raise({ type: 'round.passed', listing: params.listing });
  }),
  noteSetupLost: steps<RunProbeOutcome>(({ context, enqueue }, params) => {
    const because = setupLostBecause(context, params);
    const failure: RemoteFailure = params.ok
      ? { ok: false, code: 'rebooted', message: because, stdout: '', stderr: '', expected: true }
      : { ...params, message: `${because}: ${params.message}` };
    enqueue.assign({
      setupLostBecause: because,
      bootId: params.bootId ?? context.bootId,
      lastFailure: failure,
    });
    // Once at once; when that did not help, at the usual pace.
    if (context.setupLostBecause === '') enqueue.emit({ type: 'probe.wanted' });
    enqueue.raise({ type: 'round.failed', failure });
  }),
  raiseRoundFailed: steps<RemoteOutcome>(({ context, enqueue }, params) => {
    const failure = params.ok ? context.round.bootFailure : params;
    if (params.ok) enqueue.assign({ answered: true });
    if (!failure) return;
    enqueue.assign({ lastFailure: failure });
    enqueue.raise({ type: 'round.failed', failure });
  }),
  reportBroken: steps(({ context, event, enqueue }) => {
    if (event.type !== 'round.passed' || context.idleBehavior !== 'run') return;
    const because = brokenBecause(context, event.listing) || event.listing.interruption;
    if (because === '') return;
    enqueue.raise({ type: 'node.broken', because });
    if (event.listing.interruption === because || context.bootOutcome !== undefined) return;
    enqueue.assign({ bootOutcome: 'failure' });
    enqueue.emit({ type: 'boot.decided', outcome: 'failure' });
  }),
  applyListing: steps(({ context, event, enqueue, self }) => {
    if (event.type !== 'round.passed') return;
    const { listing } = event;
    const { records, changes } = applyListing(context.runners, listing, context.settings.collects);
    const now = context.clock.now();
    const busy = listing.live.length > 0 || changes.length > 0;
    enqueue.assign({
      runners: records,
      revision: context.revision + (changes.length > 0 ? 1 : 0),
      busyAt: busy ? now : context.busyAt,
      lastContainerUuid: context.lastContainerUuid || (listing.live[0] ?? ''),
    });
    for (const change of changes) tellRunner(enqueue, context, self, change);
  }),
  heedWatch: steps(({ context, event, enqueue, self }) => {
    if (event.type !== 'watch.started' && event.type !== 'watch.ended') return;
    const record = context.runners[event.uuid];
    const ended = event.type === 'watch.ended';
    if (record && isOtherAttempt(record, event.attempt)) return;
    if (record && (record.phase === 'collecting' || (!ended && record.phase === 'running'))) return;
    const kind = record ? (ended ? 'ended' : 'listed') : ended ? 'adoptEnded' : 'adopt';
    const phase = ended ? 'collecting' : 'running';
    enqueue.assign({
      runners: {
        ...context.runners,
        [event.uuid]: {
          ...(record ?? { gaveUp: false, queuedAt: undefined }),
          ...(event.attempt === undefined ? {} : { attempt: event.attempt }),
          phase,
        },
      },
      revision: context.revision + 1,
      busyAt: context.clock.now(),
      lastContainerUuid: context.lastContainerUuid || event.uuid,
    });
    tellRunner(enqueue, context, self, { uuid: event.uuid, kind });
  }),
  startRunner: steps(({ context, event, enqueue }) => {
    if (event.type !== 'container.assigned' || event.uuid in context.runners) return;
    const { uuid, queuedAt, attempt } = event;
    const named = attempt === undefined ? {} : { attempt };
    enqueue.assign({
      runners: { ...context.runners, [uuid]: { phase: 'starting', gaveUp: false, queuedAt, ...named } },
      served: context.served + 1,
    });
    spawnRunner(enqueue, context, uuid, 'assigned');
  }),
  noteStarted: steps(({ context, event, enqueue }) => {
    if (event.type !== 'runner.startReturned') return;
    const record = context.runners[event.uuid];
    if (!record) return;
    const now = context.clock.now();
    const queuedMs = record.queuedAt === undefined ? undefined : now - record.queuedAt;
    const { outcome } = event;
    const started: Partial<RunnerRecord> = record.phase === 'starting' ? { phase: 'running' } : {};
    const failedStarts = failedStartsAfter(context.failedStarts, outcome);
    enqueue.assign({
      ...withRunner(context, event.uuid, started),
      busyAt: now,
      lastContainerUuid: event.uuid,
      failedStarts,
    });
    const named = record.attempt === undefined ? {} : { attempt: record.attempt };
    enqueue.emit({ type: 'container.startReturned', uuid: event.uuid, ...named, queuedMs, outcome });
    if (outcome.ok) return;
    enqueue.emit({ type: 'probe.wanted' });
    const because = brokenByStarts(outcome, failedStarts, context.settings.maxFailedStarts);
    if (because !== '') enqueue.raise({ type: 'node.broken', because });
  }),
  killRunner: steps(({ context, event, enqueue, self }) => {
    if (event.type !== 'container.kill') return;
    const { gaveUp } = context.runners[event.uuid]!;
    // The records stay the same ones when nothing changes: else the scheduler is woken, and orders it again at once.
    enqueue.assign(
      gaveUp ? withRunner(context, event.uuid, { gaveUp: false }) : { revision: context.revision + 1 },
    );
    if (self.getSnapshot().children?.[event.uuid]) enqueue.sendTo(event.uuid, { type: 'kill' });
  }),
  forgetRunner: steps<{ actorId: string; output?: RunnerOutput }>(({ context, enqueue }, params) => {
    enqueue.stopChild(params.actorId);
    if (!(params.actorId in context.runners)) return;
    const { [params.actorId]: _gone, ...runners } = context.runners;
    const now = context.clock.now();
    enqueue.assign({ runners, revision: context.revision + 1, busyAt: now });
    enqueue.emit({
      type: 'container.exited',
      uuid: params.actorId,
      ending: params.output?.ending ?? 'lost',
      at: now,
    });
  }),
};
