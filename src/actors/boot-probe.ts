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

/** Runs the boot probe command as it is configured, in the login shell where that reads it (P-7). */
export const bootProbeWith = ({ executors, command, timeoutMs }: BootProbeDeps) =>
  fromPromise<RemoteOutcome, OnInstance>(async ({ input, signal }) => {
    try {
      const { executor } = executors.of(input.instanceId);
      await executor.run(command || 'true', { timeoutMs, signal, shell: 'login' });
      return { ok: true };
    } catch (error) {
      return remoteFailure(error);
    }
  });
