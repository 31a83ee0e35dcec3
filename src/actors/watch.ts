import { fromCallback, type EventObject } from 'xstate';
import { isContainerUuid } from '../domain/ids.js';
import type { OnInstance, WatchEvent } from '../machines/worker-effects.js';
import { ExecutorError } from '../ssh/executor.js';
import type { Executors } from './executors.js';
import { asRoot, type RunnerProgram } from './runner-program.js';

export interface WatchDeps {
  executors: Executors;
  runner: RunnerProgram;
  clusterId: string;
}

/** Follows `--watch` on the instance: starts, ends and notices as they happen. Tells its end instead of failing. */
export const watchWith = ({ executors, runner, clusterId }: WatchDeps) =>
  fromCallback<EventObject, OnInstance>(({ input, sendBack }) => {
    const abort = new AbortController();
    const tell = (event: WatchEvent): void => {
      if (!abort.signal.aborted) sendBack(event);
    };
    const follow = async (): Promise<void> => {
      const program = await runner.command();
      const { executor, instance } = executors.of(input.instanceId);
      const { lines } = await executor.open(asRoot(`${program} --watch`, instance.remoteUser), abort);
      for await (const line of lines) {
        const event = parseWatchLine(line, clusterId);
        if (event) tell(event);
      }
    };
    const end = (supported: boolean, message: string): void =>
      tell({ type: 'watch.closed', supported, message });
    if (!runner.isOurs) queueMicrotask(() => end(false, 'the runner program cannot be watched'));
    else {
      follow().then(
        () => end(true, 'the watch ended'),
        (error: unknown) =>
          end(!isUnknownFlag(error), error instanceof Error ? error.message : String(error)),
      );
    }
    return () => abort.abort();
  });

/** One line of `--watch`, or `undefined` for one that means nothing here: other clusters, words nobody knows. */
export function parseWatchLine(line: string, clusterId: string): WatchEvent | undefined {
  const [word = '', ...rest] = line.split(' ');
  if (word === 'attached') return { type: 'watch.attached' };
  if (word === 'broken') return { type: 'watch.broken' };
  if (word === 'interruption') return { type: 'watch.interruption', notice: rest.join(' ').slice(0, 300) };
  const uuid = rest[0] ?? '';
  if (rest.length !== 1 || !uuid.startsWith(clusterId) || !isContainerUuid(uuid)) return undefined;
  if (word === 'started') return { type: 'watch.started', uuid };
  return word === 'ended' ? { type: 'watch.ended', uuid } : undefined;
}

function isUnknownFlag(error: unknown): boolean {
  return error instanceof ExecutorError && error.code === 'exit' && error.exitCode === 2;
}
