import { fromCallback, fromPromise, type EventObject } from 'xstate';
import type { Tags } from '../domain/instance.js';
import type { StartFault } from '../domain/start-fault.js';
import type { RunnerListing } from '../domain/runner-listing.js';

/** Why a remote step did not succeed; `expected` ones are normal while an instance boots (P-7). */
export interface RemoteFailure {
  ok: false;
  /** An `ExecutorErrorCode`, or the name of another fault. */
  code: string;
  message: string;
  stdout: string;
  stderr: string;
  expected: boolean;
  /** Of a command that began: its exit status, and the boot of the host. */
  exitCode?: number;
  bootId?: string;
}

/** Why a start command did not succeed. What is not given is not known, as in records of earlier versions. */
export interface StartFailure extends RemoteFailure {
  exitCode?: number | undefined;
  fault?: StartFault;
  /** True: nothing of the container ran, and its attempt was taken back. Else it may run. */
  ranNothing?: boolean;
  /** With what the instance said, bounded; for people. */
  reason?: string;
}

export type StartOutcome = { ok: true } | StartFailure;

export type RemoteOutcome = { ok: true } | RemoteFailure;

export type RunProbeOutcome =
  | { ok: true; listing: RunnerListing; durationMs: number; bootId?: string }
  | (RemoteFailure & { durationMs: number });

/** Names the instance whose executor an effect is to use. */
export interface OnInstance {
  instanceId: string;
}

export interface ContainerOnInstance extends OnInstance {
  uuid: string;
}

/** What `--watch` tells as it happens. `attached`: the channel is open and listens. */
export type WatchEvent =
  | { type: 'watch.attached' }
  | { type: 'watch.started'; uuid: string; attempt?: number }
  | { type: 'watch.ended'; uuid: string; attempt?: number }
  | { type: 'watch.broken'; reason?: string }
  | { type: 'watch.interruption'; notice: string }
  /** The channel ended; `supported` is false when the runner program does not know the flag. */
  | { type: 'watch.closed'; supported: boolean; message: string };

function notProvided(name: string): () => never {
  return () => {
    throw new Error(`effect "${name}" was not provided`);
  };
}

/** Runs the boot probe command (P-7). */
export const bootProbe = fromPromise<RemoteOutcome, OnInstance>(notProvided('bootProbe'));
/** Brings the runner program to the instance unless it is there (P-9). */
export const copyRunner = fromPromise<RemoteOutcome, OnInstance>(notProvided('copyRunner'));
/** Asks the runner program what runs (P-11). */
export const runProbe = fromPromise<RunProbeOutcome, OnInstance>(notProvided('runProbe'));
/** Follows the runner's `--watch` channel; sends {@link WatchEvent} to its parent; tells its end by `watch.closed`. */
export const watch = fromCallback<EventObject, OnInstance>(notProvided('watch'));
/** Starts one container; the outcome says whether the command did, and else whether anything may run. */
export const startContainer = fromPromise<StartOutcome, ContainerOnInstance>(notProvided('startContainer'));
/** One TERM. `ok`: the process is gone. */
export const killContainer = fromPromise<RemoteOutcome, ContainerOnInstance>(notProvided('killContainer'));
/** Brings the result of an ended container to the queue, durably, then removes it from the instance. */
export const collectResult = fromPromise<RemoteOutcome, ContainerOnInstance>(notProvided('collectResult'));
/** Asks the cloud to destroy the instance (S-1). */
export const destroyInstance = fromPromise<RemoteOutcome, OnInstance>(notProvided('destroyInstance'));
/** Writes the whole tag map (I-8). */
export const saveTags = fromPromise<RemoteOutcome, OnInstance & { tags: Tags }>(notProvided('saveTags'));

/** The effects a worker invokes, by the name its chart uses. */
export const workerEffects = {
  bootProbe,
  copyRunner,
  runProbe,
  watch,
  destroyInstance,
  saveTags,
};

/** The effects a runner invokes. */
export const runnerEffects = {
  startContainer,
  killContainer,
  collectResult,
};
