import { and, assign, emit, not, or, raise, setup, stateIn } from 'xstate';
import { isIdleBehavior, type BootStage, type IdleBehavior } from '../domain/instance.js';
import type { Instance } from '../domain/instance.js';
import { runnerMachine } from './runner.js';
import { faultOf, withRunner, workerActions } from './worker-actions.js';
import { workerEffects, type RemoteOutcome, type RunProbeOutcome } from './worker-effects.js';
import {
  brokenBecause,
  setupLostBecause,
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

const interruptedBecause = (event: WorkerEvent): string => {
  if (event.type === 'watch.interruption') return event.notice;
  return reportedBroken(event.type === 'watch.broken' ? event.reason : '');
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
    ...workerActions,
    noteInstance: assign({
      instance: ({ context, event }): Instance =>
        event.type === 'instance.listed' ? event.instance : context.instance,
    }),
    noteStage: assign(({ context }, params: { stage: BootStage }) => ({
      bootStage: params.stage,
      bootStageAt: context.clock.now(),
    })),
    noteBusy: assign(({ context }) => ({ busyAt: context.clock.now() })),
    bumpRevision: assign(({ context }) => ({ revision: context.revision + 1 })),
    noteBehavior: assign((_, params: { behavior: IdleBehavior }) => ({ idleBehavior: params.behavior })),
    noteBehaviorReason: assign(({ event }) => ({
      behaviorBecause: 'because' in event ? event.because : 'a container could not be stopped or collected',
    })),
    raiseBehaviorChanged: raise({ type: 'behavior.changed' }),
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

    raiseInterrupted: raise(({ event }) => ({
      type: 'node.broken' as const,
      because: interruptedBecause(event),
    })),
    noteEnding: assign(({ context, event }) =>
      event.type === 'runner.ending' ? withRunner(context, event.uuid, { phase: 'collecting' }) : {},
    ),
    noteGaveUp: assign(({ context, event }) =>
      event.type === 'runner.gaveUp' ? withRunner(context, event.uuid, { gaveUp: true }) : {},
    ),

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
