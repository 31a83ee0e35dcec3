import type { Clock } from '../domain/clock.js';
import {
  rebooted,
  type BootOutcome,
  type BootStage,
  type IdleBehavior,
  type Instance,
  type TagKeys,
  type Tags,
} from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { RunnerListing } from '../domain/runner-listing.js';
import type { RunnerRecords } from '../policy/apply-listing.js';
import type { RunnerEnding, RunnerOutput, RunnerReport, RunnerTimings } from './runner-setup.js';
import type { RemoteFailure, RunProbeOutcome, StartOutcome, WatchEvent } from './worker-effects.js';

/** What a worker is told of the operator's settings; one object shared by all workers. Durations in ms. */
export interface WorkerSettings {
  tagKeys: TagKeys;
  timeoutIdleMs: number;
  timeoutBootingMs: number;
  bootStageTimeoutsMs: Readonly<Record<BootStage, number>>;
  timeoutProbeMs: number;
  timeoutShutdownMs: number;
  timeoutStaleRunLockMs: number;
  /** So many starts in a row that failed mean a broken instance; 0: any number is borne. */
  maxFailedStarts?: number;
  /** How long an instance that others made, and that never answers, is only reported. */
  orphanGraceMs?: number;
  /** Destroys it then; not given: never. */
  removesOrphans?: boolean;
  tagRetryMs: number;
  watchRetryMs: number;
  /** False for a runner program that reports results itself. */
  collects: boolean;
  runnerTimings: RunnerTimings;
}

export interface WorkerInput {
  clock: Pick<Clock, 'now'>;
  settings: WorkerSettings;
  instance: Instance;
  instanceType: InstanceType;
  /** False: the type's name is not configured any more (W-4). */
  typeIsConfigured: boolean;
  /** True: this process asked for the instance (W-1). */
  expected: boolean;
  /** False: it carries the id of this instance set, but nothing says that it was asked for; not given: true. */
  recorded?: boolean;
  /** When it was asked for, where that is known; epoch ms. */
  createdAt?: number;
}

/** One visit to the instance (V-12). */
export interface ProbeRound {
  startedAt: number;
  /** The worker's revision when it began (P-20, P-22). */
  revision: number;
  bootFailure: RemoteFailure | undefined;
}

export interface WorkerContext extends WorkerInput {
  /** Counts what happened to the worker, sightings in the cloud's list aside (P-22, K-7). */
  revision: number;
  appearedAt: number;
  probedAt: number;
  busyAt: number;
  bootStage: BootStage;
  bootStageAt: number;
  /** First verified connection while booting. */
  verifiedAt: number | undefined;
  /** First order to destroy it (K-14). */
  shutdownAt: number | undefined;
  shutdownBecause: string;
  idleBehavior: IdleBehavior;
  behaviorBecause: string;
  round: ProbeRound;
  lastFailure: RemoteFailure | undefined;
  /** A run probe succeeded at least once. */
  answered: boolean;
  destroyConfirmed: boolean;
  /** Of the last run probe; `''` where the host tells none. */
  bootId: string;
  /** Why the runner program has to be put in place again, or `''`: nothing new is begun meanwhile. */
  setupLostBecause: string;
  runners: RunnerRecords;
  staleSince: Readonly<Record<string, number>>;
  /** What is being written to the instance, or is to be tried again. */
  tagsInFlight: Tags | undefined;
  lastContainerUuid: string;
  /** Containers begun here since this process knows the instance. */
  served: number;
  /** Starts in a row that failed by the instance's fault. */
  failedStarts: number;
  bootOutcome: BootOutcome | undefined;
}

/** A run probe's answer, judged against what the worker knows. */
export interface RoundPassed {
  type: 'round.passed';
  listing: RunnerListing;
}

export interface RoundFailed {
  type: 'round.failed';
  failure: RemoteFailure;
}

export type WorkerEvent =
  | { type: 'instance.listed'; instance: Instance }
  | { type: 'instance.missing' }
  /** `attempt`: the number that its start will get. */
  | { type: 'container.assigned'; uuid: string; queuedAt: number; attempt?: number }
  | { type: 'container.kill'; uuid: string; because: string }
  | { type: 'operator.run'; because: string }
  | { type: 'operator.hold'; because: string }
  | { type: 'operator.drain'; because: string }
  | { type: 'operator.kill'; because: string }
  | { type: 'scheduler.shutdown'; because: string }
  /** Idle as it is, the instance is to stand ready longer. */
  | { type: 'scheduler.keep' }
  | { type: 'probe.due' }
  | { type: 'connection.established' }
  | { type: 'connection.verified' }
  | { type: 'behavior.changed' }
  | { type: 'node.broken'; because: string }
  | { type: 'boot.succeeded' }
  | { type: 'runner.copied' }
  | RoundPassed
  | RoundFailed
  | WatchEvent
  | RunnerReport
  | { type: `xstate.done.actor.${string}`; output: RunnerOutput; actorId: string }
  | { type: `xstate.error.actor.${string}`; error: unknown; actorId: string };

/** What a worker lets the pool know, beyond its state. */
export type WorkerFact =
  /** A probe round ended, or the first may begin: the pacer decides when the next one is. */
  | { type: 'probe.rested' }
  /** The next round should not wait for its turn. */
  | { type: 'probe.wanted' }
  | { type: 'container.exited'; uuid: string; ending: RunnerEnding; at: number }
  /** The start command returned, `queuedMs` after the container was asked for (M-18). */
  | {
      type: 'container.startReturned';
      uuid: string;
      attempt?: number;
      queuedMs: number | undefined;
      outcome: StartOutcome;
    }
  | { type: 'boot.decided'; outcome: BootOutcome }
  | { type: 'boot.verified'; sinceAppearedMs: number }
  | { type: 'boot.ready'; sinceVerifiedMs: number };

/** The tags the instance should carry: all it has, its type, and its idle behavior (I-8). */
export function wantedTags(context: WorkerContext): Tags {
  const { tagKeys } = context.settings;
  return {
    ...context.instance.tags,
    [tagKeys.instanceType]: context.instanceType.name,
    [tagKeys.idleBehavior]: context.idleBehavior,
  };
}

export function tagsDiffer(context: WorkerContext): boolean {
  const { tags } = context.instance;
  const { tagKeys } = context.settings;
  return (
    tags[tagKeys.instanceType] !== context.instanceType.name ||
    tags[tagKeys.idleBehavior] !== context.idleBehavior
  );
}

/** How an instance that says itself that it is broken is told, with what it says of that. */
export function reportedBroken(reason = ''): string {
  return `the instance reported itself broken${reason === '' ? '' : `: ${reason}`}`;
}

/** Why the listing means that the instance cannot be trusted with containers, or `''` (P-14, P-15). */
export function brokenBecause(context: WorkerContext, listing: RunnerListing): string {
  if (listing.broken) return reportedBroken(listing.brokenReason);
  const now = context.clock.now();
  const stuck = listing.stale.find((uuid) => {
    const since = context.staleSince[uuid];
    return since !== undefined && now - since > context.settings.timeoutStaleRunLockMs;
  });
  return stuck === undefined ? '' : `the lock of container ${stuck} is stale`;
}

/** What a shell answers when a program is not there, or may not be executed. */
const programIsGone: ReadonlySet<number> = new Set([126, 127]);

/** Why what was put on the instance is not there any more, or `''`: as a run probe tells. */
export function setupLostBecause(context: WorkerContext, outcome: RunProbeOutcome): string {
  const { bootId = '' } = outcome;
  if (bootId !== '' && context.bootId !== '' && bootId !== context.bootId) return rebooted;
  if (outcome.ok || !programIsGone.has(outcome.exitCode ?? 0)) return '';
  return 'the runner program is not there any more, or cannot be executed';
}

/** Failed starts in a row, this one included: those that speak against the instance count, whatever the container. */
export function failedStartsAfter(before: number, outcome: StartOutcome): number {
  if (outcome.ok) return 0;
  return outcome.fault === 'instance' || outcome.fault === 'broken-instance' ? before + 1 : before;
}

/** Why failed starts mean that the instance cannot be trusted with containers, or `''`. */
export function brokenByStarts(outcome: StartOutcome, failedStarts: number, most = 0): string {
  if (outcome.ok) return '';
  const { fault, reason = outcome.message } = outcome;
  if (fault === 'broken-instance') return `it cannot run containers: ${reason}`;
  if (fault !== 'instance' || most === 0 || failedStarts < most) return '';
  const starts = failedStarts === 1 ? 'a start' : `${failedStarts} starts in a row`;
  return `broken: ${starts} failed; the last: ${reason}`;
}
