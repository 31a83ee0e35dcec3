import { fromPromise } from 'xstate';
import type { OnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import type { Executors } from './executors.js';
import { remoteFailure } from './remote-failure.js';

export interface BootProbeDeps {
  executors: Executors;
  /** `''`: any answer will do. */
  command: string;
  timeoutMs: number;
}

/** Runs the boot probe command as it is configured (P-7). */
export const bootProbeWith = ({ executors, command, timeoutMs }: BootProbeDeps) =>
  fromPromise<RemoteOutcome, OnInstance>(async ({ input, signal }) => {
    try {
      await executors.of(input.instanceId).executor.run(command || 'true', { timeoutMs, signal });
      return { ok: true };
    } catch (error) {
      return remoteFailure(error);
    }
  });
