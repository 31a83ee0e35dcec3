import { fromPromise } from 'xstate';
import { quoteIfNeeded } from '../domain/shell-quote.js';
import type { ContainerOnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import type { Queue } from '../queue/queue.js';
import { parseCollected } from '../runner/collected-result.js';
import type { Executors } from './executors.js';
import { remoteFailure } from './remote-failure.js';
import { asRoot, type RunnerProgram } from './runner-program.js';

export interface CollectResultDeps {
  executors: Executors;
  runner: RunnerProgram;
  queue: Queue;
  /** Bytes of each stream the runner keeps; bounds what is read. */
  logLimitBytes: number;
  timeoutMs: number;
}

/** Brings a result to the queue, and only when it is durable there removes it from the instance. */
export const collectResultWith = ({
  executors,
  runner,
  queue,
  logLimitBytes,
  timeoutMs,
}: CollectResultDeps) =>
  fromPromise<RemoteOutcome, ContainerOnInstance>(async ({ input, signal }) => {
    if (!runner.isOurs) return { ok: true };
    const { instanceId, uuid } = input;
    try {
      const program = await runner.command();
      const { executor, instance } = executors.of(instanceId);
      const call = (mode: string): string =>
        asRoot(`${program} ${mode} ${quoteIfNeeded(uuid)}`, instance.remoteUser);
      const maxOutputBytes = 65_536 + 3 * logLimitBytes;
      const { stdout } = await executor.run(call('--collect'), { timeoutMs, signal, maxOutputBytes });
      await queue.complete(uuid, parseCollected(uuid, stdout));
      await executor.run(call('--discard'), { timeoutMs, signal });
      return { ok: true };
    } catch (error) {
      return remoteFailure(error);
    }
  });
