import { fromPromise } from 'xstate';
import type { Instance } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { CapacityScope, DriverErrorCode } from '../domain/driver-error-code.js';

/** A driver's error as plain data. */
export interface CloudFailure {
  code: DriverErrorCode;
  message: string;
  retryAt?: number;
  scope?: CapacityScope;
  remedy?: string;
}

export type CreateOutcome = { ok: true; instance: Instance } | { ok: false; error: CloudFailure };
export type ListOutcome = { ok: true; instances: readonly Instance[] } | { ok: false; error: CloudFailure };

/** One wish for an instance. */
export interface LaunchRequest {
  launchId: string;
  instanceType: InstanceType;
  /** Where; not given or `''`: the driver chooses. */
  zone?: string;
  /** Forty hex digits, kept on the instance only (L-4). */
  secret: string;
  because: string;
}

function notProvided(name: string): () => never {
  return () => {
    throw new Error(`effect "${name}" was not provided`);
  };
}

/** Writes down that the create call is about to happen; durable when it resolves. */
export const recordIntent = fromPromise<void, LaunchRequest>(notProvided('recordIntent'));
/** Writes down how it went. */
export const settleIntent = fromPromise<void, LaunchRequest & { outcome: string }>(
  notProvided('settleIntent'),
);
/** Asks the cloud for one instance (L-4..L-7). */
export const createInstance = fromPromise<CreateOutcome, LaunchRequest>(notProvided('createInstance'));
/** Asks the cloud for all instances of this set (L-22). */
export const listInstances = fromPromise<ListOutcome>(notProvided('listInstances'));
