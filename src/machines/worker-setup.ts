import { and, assign, emit, enqueueActions, not, or, raise, setup, stateIn } from 'xstate';
import { isIdleBehavior, type BootOutcome, type BootStage, type IdleBehavior } from '../domain/instance.js';
import type { Instance } from '../domain/instance.js';
import {
  applyListing,
  isOtherAttempt,
  trackStaleLocks,
  type ListingChange,
  type RunnerRecord,
} from '../policy/apply-listing.js';
import { runnerMachine } from './runner.js';
import type { RunnerInput, RunnerOutput } from './runner-setup.js';
import {
  workerEffects,
  type RemoteFailure,
  type RemoteOutcome,
  type RunProbeOutcome,
} from './worker-effects.js';
import {
  brokenBecause,
  setupLostBecause,
  brokenByStarts,
  failedStartsAfter,
  reportedBroken,
  tagsDiffer,
  wantedTags,
  type WorkerContext,
  type WorkerEvent,
  type WorkerFact,
  type WorkerInput,
} from './worker-model.js';

const liveProbe = (outcome: RunProbeOutcome, context: WorkerContext): boolean =>
  outcome.ok &&
  (!context.round.bootFailure ||
    outcome.listing.live.length > 0 ||
    Object.values(context.runners).some((runner) => runner.phase !== 'starting'));

/** A rejected effect is a fault of ours; the worker treats it as a failed step and goes on. */
const faultOf = (error: unknown): RemoteFailure => ({
  ok: false,
  code: 'fault',
  message: error instanceof Error ? error.message : String(error),
  stdout: '',
  stderr: '',
  expected: false,
});

const interruptedBecause = (event: WorkerEvent): string => {
  if (event.type === 'watch.interruption') return event.notice;
  return reportedBroken(event.type === 'watch.broken' ? event.reason : '');
};

const withRunner = (
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

const isDraining = stateIn({ idleBehavior: 'drain' });
const isHeld = stateIn({ idleBehavior: 'hold' });

/** Everything the names of the worker's chart stand for. */
export const workerSetup = setup({
  types: {
    context: {} as WorkerContext,
    input: {} as WorkerInput,
    events: {} as WorkerEvent,
    emitted: {} as WorkerFact,
  },
  actors: { ...workerEffects, runner: runnerMachine },
  guards: {
    wasExpected: ({ context }) => context.expected,
    startsOnHold: ({ context }) => context.instance.tags[context.settings.tagKeys.idleBehavior] === 'hold',
    startsDraining: ({ context }) =>
      !context.typeIsConfigured || context.instance.tags[context.settings.tagKeys.idleBehavior] === 'drain',
    hasAddress: ({ context }) => context.instance.address !== '',
    hasRunners: ({ context }) => Object.keys(context.runners).length > 0,
    hasNoRunners: ({ context }) => Object.keys(context.runners).length === 0,
    isDraining,
    isHeld,
    isNotHeld: not(isHeld),
    acceptsContainers: and([
      stateIn({ idleBehavior: 'run' }),
      ({ context }) => context.setupLostBecause === '',
    ]),
    isShuttingDown: stateIn({ lifecycle: 'shutdown' }),
    isBooting: or([
      stateIn({ lifecycle: 'booting' }),
      stateIn({ lifecycle: 'unknown' }),
      stateIn({ lifecycle: 'orphaned' }),
    ]),
    isAdopting: or([stateIn({ lifecycle: 'unknown' }), stateIn({ lifecycle: 'orphaned' })]),
    isInService: or([stateIn({ lifecycle: 'idle' }), stateIn({ lifecycle: 'running' })]),
    drainsWithOnlyLostRunners: and([
      isDraining,
      ({ context }) => {
        const runners = Object.values(context.runners);
        return runners.length > 0 && runners.every((runner) => runner.gaveUp);
      },
    ]),
    idledTooLong: and([
      not(isHeld),
      ({ context }) => context.clock.now() - context.busyAt >= context.settings.timeoutIdleMs,
    ]),
    isUnrecorded: ({ context }) => context.recorded === false,
    orphanIsOverdue: and([
      not(isHeld),
      ({ context }) => {
        const { removesOrphans = false, orphanGraceMs = 0, timeoutBootingMs } = context.settings;
        const ageMs = context.clock.now() - context.appearedAt;
        return removesOrphans && ageMs >= timeoutBootingMs + orphanGraceMs;
      },
    ]),
    neverAnsweredInTime: and([
      not(isHeld),
      stateIn({ probe: 'resting' }),
      ({ context }) =>
        !context.answered &&
        Object.keys(context.runners).length === 0 &&
        context.clock.now() - context.appearedAt >= context.settings.timeoutBootingMs,
    ]),
    bootIsOverdue: and([
      not(isHeld),
      ({ context }) =>
        context.round.startedAt - context.probedAt >= context.settings.timeoutBootingMs ||
        (context.expected &&
          context.round.startedAt - context.bootStageAt >=
            context.settings.bootStageTimeoutsMs[context.bootStage]),
    ]),
    isAbandonedOrphan: and(['isUnrecorded', not(isDraining), 'neverAnsweredInTime']),
    isOverdueOrphan: and(['isUnrecorded', not(isDraining), 'bootIsOverdue']),
    isUnresponsive: and([
      not(isHeld),
      ({ context }) => context.round.startedAt - context.probedAt >= context.settings.timeoutProbeMs,
    ]),
    roundWasOvertaken: ({ context }) => context.revision !== context.round.revision,
    bootFailed: ({ context }) => context.round.bootFailure !== undefined,
    reportsBrokenWhileBooting: ({ context, event }) =>
      event.type === 'round.passed' &&
      context.idleBehavior === 'run' &&
      brokenBecause(context, event.listing) !== '',
    succeeded: (_, params: RemoteOutcome) => params.ok,
    needsSetup: or(['isBooting', ({ context }) => context.setupLostBecause !== '']),
    lostSetup: ({ context }, params: RunProbeOutcome) =>
      context.answered && setupLostBecause(context, params) !== '',
    probePassed: ({ context }, params: RunProbeOutcome) => liveProbe(params, context),
    tagsDiffer: ({ context }) => tagsDiffer(context),
    isRunnersActor: ({ context }, params: { actorId: string }) => params.actorId in context.runners,
    knowsContainer: ({ context, event }) => 'uuid' in event && event.uuid in context.runners,
    watchIsUnknown: ({ event }) => event.type === 'watch.closed' && !event.supported,
  },
  actions: {
    noteInstance: assign({
      instance: ({ context, event }): Instance =>
        event.type === 'instance.listed' ? event.instance : context.instance,
    }),
    noteStage: assign(({ context }, params: { stage: BootStage }) => ({
      bootStage: params.stage,
      bootStageAt: context.clock.now(),
    })),
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
    noteBusy: assign(({ context }) => ({ busyAt: context.clock.now() })),
    bumpRevision: assign(({ context }) => ({ revision: context.revision + 1 })),
    noteBehavior: assign((_, params: { behavior: IdleBehavior }) => ({ idleBehavior: params.behavior })),
    noteBehaviorReason: assign(({ event }) => ({
      behaviorBecause: 'because' in event ? event.because : 'a container could not be stopped or collected',
    })),
    raiseBehaviorChanged: raise({ type: 'behavior.changed' }),
    decideBoot: steps<{ outcome: BootOutcome }>(({ context, enqueue }, params) => {
      if (context.bootOutcome !== undefined) return;
      enqueue.assign({ bootOutcome: params.outcome });
      enqueue.emit({ type: 'boot.decided', outcome: params.outcome });
    }),
    noteShutdown: assign(({ context, event }, params: { because: string }) => ({
      shutdownAt: context.shutdownAt ?? context.clock.now(),
      shutdownBecause:
        params.because ||
        ('because' in event && event.because) ||
        context.shutdownBecause ||
        'no reason given',
      revision: context.revision + 1,
    })),
    noteDestroyConfirmed: assign({ destroyConfirmed: true }),

    beginRound: assign(({ context }) => ({
      round: { startedAt: context.clock.now(), revision: context.revision, bootFailure: undefined },
    })),
    noteBootFailure: assign(({ context }, params: RemoteOutcome) => ({
      round: { ...context.round, bootFailure: params.ok ? undefined : params },
      lastFailure: params.ok ? context.lastFailure : params,
    })),
    noteBootFault: assign(({ context }, params: { error: unknown }) => ({
      round: { ...context.round, bootFailure: faultOf(params.error) },
      lastFailure: faultOf(params.error),
    })),
    raiseBooted: raise({ type: 'boot.succeeded' }),
    raiseCopied: raise({ type: 'runner.copied' }),
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
    raiseRoundFault: raise((_, params: { error: unknown }) => ({
      type: 'round.failed' as const,
      failure: faultOf(params.error),
    })),
    raiseBootRoundFailed: raise(({ context }) => ({
      type: 'round.failed' as const,
      failure: context.round.bootFailure ?? faultOf('the boot stage failed'),
    })),
    announceRest: emit({ type: 'probe.rested' }),
    hastenProbe: emit({ type: 'probe.wanted' }),
    noteProbed: assign(({ context }) => ({ probedAt: context.clock.now(), lastFailure: undefined })),

    reportBroken: steps(({ context, event, enqueue }) => {
      if (event.type !== 'round.passed' || context.idleBehavior !== 'run') return;
      const because = brokenBecause(context, event.listing) || event.listing.interruption;
      if (because === '') return;
      enqueue.raise({ type: 'node.broken', because });
      if (event.listing.interruption === because || context.bootOutcome !== undefined) return;
      enqueue.assign({ bootOutcome: 'failure' });
      enqueue.emit({ type: 'boot.decided', outcome: 'failure' });
    }),
    raiseInterrupted: raise(({ event }) => ({
      type: 'node.broken' as const,
      because: interruptedBecause(event),
    })),
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
    noteEnding: assign(({ context, event }) =>
      event.type === 'runner.ending' ? withRunner(context, event.uuid, { phase: 'collecting' }) : {},
    ),
    noteGaveUp: assign(({ context, event }) =>
      event.type === 'runner.gaveUp' ? withRunner(context, event.uuid, { gaveUp: true }) : {},
    ),
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

    chooseTags: assign(({ context }) => ({ tagsInFlight: wantedTags(context) })),
    noteTagsSaved: assign(({ context }) => ({
      instance: { ...context.instance, tags: context.tagsInFlight ?? context.instance.tags },
      tagsInFlight: undefined,
    })),
  },
  delays: {
    requestedTimeout: ({ context }) => context.settings.bootStageTimeoutsMs.requested,
    addressedTimeout: ({ context }) => context.settings.bootStageTimeoutsMs.addressed,
    connectedTimeout: ({ context }) => context.settings.bootStageTimeoutsMs.connected,
    verifiedTimeout: ({ context }) => context.settings.bootStageTimeoutsMs.verified,
    bootedTimeout: ({ context }) => context.settings.bootStageTimeoutsMs.booted,
    copiedTimeout: ({ context }) => context.settings.bootStageTimeoutsMs.copied,
    bootTimeout: ({ context }) => context.settings.timeoutBootingMs,
    orphanGrace: ({ context }) => context.settings.orphanGraceMs ?? 0,
    idleTimeout: ({ context }) => context.settings.timeoutIdleMs,
    shutdownTimeout: ({ context }) => context.settings.timeoutShutdownMs,
    tagRetry: ({ context }) => context.settings.tagRetryMs,
    watchRetry: ({ context }) => context.settings.watchRetryMs,
  },
});

/** The context a worker begins with (W-2, W-3). */
export function initialWorkerContext(input: WorkerInput): WorkerContext {
  const now = input.clock.now();
  const tagged = input.instance.tags[input.settings.tagKeys.idleBehavior];
  return {
    ...input,
    revision: 0,
    appearedAt: now,
    probedAt: now,
    busyAt: now,
    bootStage: 'requested',
    bootStageAt: now,
    verifiedAt: undefined,
    shutdownAt: undefined,
    shutdownBecause: '',
    idleBehavior: isIdleBehavior(tagged) ? tagged : 'run',
    behaviorBecause: isIdleBehavior(tagged) ? 'the tag of the instance says so' : 'default',
    round: { startedAt: now, revision: 0, bootFailure: undefined },
    lastFailure: undefined,
    answered: false,
    destroyConfirmed: false,
    bootId: '',
    setupLostBecause: '',
    runners: {},
    staleSince: {},
    tagsInFlight: undefined,
    lastContainerUuid: '',
    served: 0,
    failedStarts: 0,
    bootOutcome: undefined,
  };
}
