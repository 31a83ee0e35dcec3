import { fromPromise } from 'xstate';
import type { OnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import type { Executors } from '../fleet/instance-executors.js';
import { instanceLimits } from '../domain/instance-limits.js';
import { remoteFailure } from './remote-failure.js';

export interface BootProbeDeps {
  executors: Executors;
  /** `''`: any answer will do. */
  command: string;
  timeoutMs: number;
}

const maxOutputBytes = instanceLimits.outputBytes.bootProbe;

/** Runs the boot probe command as it is configured, in the login shell where that reads it (P-7). */
export const bootProbeWith = ({ executors, command, timeoutMs }: BootProbeDeps) =>
  fromPromise<RemoteOutcome, OnInstance>(async ({ input, signal }) => {
    try {
      const { executor } = executors.of(input.instanceId);
      await executor.run(command || 'true', { timeoutMs, signal, shell: 'login', maxOutputBytes });
      return { ok: true };
    } catch (error) {
      return remoteFailure(error);
    }
  });
