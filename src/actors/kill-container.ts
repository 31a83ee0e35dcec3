import { fromPromise } from 'xstate';
import type { Mandate } from '../domain/leader-guard.js';
import type { ContainerOnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import { instanceLimits } from '../domain/instance-limits.js';
import type { Executors } from '../fleet/instance-executors.js';
import { remoteFailure } from './remote-failure.js';
import { asRoot, uuidWord } from '../runner/remote-command.js';
import type { RunnerProgram } from '../runner/program.js';

export interface KillContainerDeps {
  executors: Executors;
  runner: RunnerProgram;
  mandate: Mandate;
  timeoutMs: number;
}

const maxOutputBytes = instanceLimits.outputBytes.kill;

/** One TERM; success says that the process is gone. */
export const killContainerWith = ({ executors, runner, mandate, timeoutMs }: KillContainerDeps) =>
  fromPromise<RemoteOutcome, ContainerOnInstance>(async ({ input, signal }) => {
    try {
      const uuid = uuidWord(input.uuid);
      const program = await runner.command(executors.of(input.instanceId));
      const { executor, instance } = executors.of(input.instanceId);
      const command = asRoot(`${program} --kill 15 ${uuid}`, instance.remoteUser);
      await mandate.confirm();
      await executor.run(command, { timeoutMs, signal, maxOutputBytes, permit: () => mandate.assert() });
      return { ok: true };
    } catch (error) {
      return remoteFailure(error);
    }
  });
