import { fromCallback, type EventObject } from 'xstate';
import type { Clock } from '../domain/clock.js';
import { isContainerUuid } from '../domain/ids.js';
import type { OnInstance, WatchEvent } from '../machines/worker-effects.js';
import { instanceLimits } from '../domain/instance-limits.js';
import { ExecutorError, type StreamLimits } from '../ssh/executor.js';
import { TokenBucket } from '../ssh/token-bucket.js';
import { cleanNotice } from '../domain/clean-notice.js';
import type { Executors } from '../fleet/instance-executors.js';
import { asRoot } from '../runner/remote-command.js';
import type { RunnerProgram } from '../runner/program.js';

export interface WatchDeps {
  executors: Executors;
  runner: RunnerProgram;
  clusterId: string;
  /** A channel that says nothing for so long is given up. The runner program says something each 15 s. */
  silenceMs: number;
  clock: Clock;
}

/** Follows `--watch` on the instance: starts, ends and notices as they happen. Tells its end instead of failing. */
export const watchWith = (deps: WatchDeps) =>
  fromCallback<EventObject, OnInstance>(({ input, sendBack }) => {
    const { clock, silenceMs } = deps;
    const abort = new AbortController();
    let silence: unknown;
    const stop = (): void => {
      clock.clearTimeout(silence);
      abort.abort();
    };
    const tell = (event: WatchEvent): void => {
      if (!abort.signal.aborted) sendBack(event);
    };
    const end = (supported: boolean, message: string): void => {
      tell({ type: 'watch.closed', supported, message });
      stop();
    };
    const heard = (): void => {
      clock.clearTimeout(silence);
      if (abort.signal.aborted) return;
      silence = clock.setTimeout(() => end(true, `nothing was heard for ${silenceMs} ms`), silenceMs);
    };
    if (deps.runner.isOurs) {
      heard();
      follow(deps, input.instanceId, abort.signal, { heard, tell }).then(
        () => end(true, 'the watch ended'),
        (error: unknown) => end(!isForGood(error), messageOf(error)),
      );
    } else {
      queueMicrotask(() => end(false, 'the runner program cannot be watched'));
    }
    return stop;
  });

interface Listener {
  /** There was a line, whatever it said. */
  heard(): void;
  tell(event: WatchEvent): void;
}

const streamLimits: StreamLimits = {
  lineBytes: instanceLimits.lineBytes,
  bytesPerSecond: instanceLimits.streamBytesPerSecond,
  burstBytes: instanceLimits.streamBurstBytes,
};
const pacing = { perSecond: instanceLimits.streamLinesPerSecond, burst: instanceLimits.streamBurstLines };

function tooManyLines(): ExecutorError {
  const { perSecond, burst } = pacing;
  const text = `the instance sent more than ${perSecond} lines a second, and ${burst} at once`;
  return new ExecutorError('too-much-output', text, { breach: 'rate' });
}

async function follow(
  { executors, runner, clusterId, clock }: WatchDeps,
  instanceId: string,
  signal: AbortSignal,
  listener: Listener,
): Promise<void> {
  const program = await runner.command(executors.of(instanceId));
  const { executor, instance, type } = executors.of(instanceId);
  const { conduct } = executors;
  const pace = new TokenBucket({ ...pacing, now: () => clock.now() });
  const command = asRoot(`${program} --watch`, instance.remoteUser);
  try {
    const { lines } = await executor.open(command, { signal, limits: streamLimits });
    for await (const line of lines) {
      if (!pace.take(1)) throw tooManyLines();
      listener.heard();
      const event = parseWatchLine(line, clusterId);
      const isRefused =
        event && 'uuid' in event && conduct.refusedIds(instanceId, type, [event.uuid]).has(event.uuid);
      if (event && !isRefused) listener.tell(event);
    }
  } catch (error) {
    if (error instanceof ExecutorError && error.breach)
      conduct.breach({ instanceId, kind: error.breach, because: error.message });
    throw error;
  }
}

/** One line of `--watch`, or `undefined` for one that means nothing here: other clusters, words nobody knows. */
export function parseWatchLine(line: string, clusterId: string): WatchEvent | undefined {
  const [word = '', ...rest] = line.split(' ');
  if (word === 'attached') return { type: 'watch.attached' };
  if (word === 'broken') return watchBroken(cleanNotice(rest.join(' ')));
  if (word === 'interruption') return { type: 'watch.interruption', notice: cleanNotice(rest.join(' ')) };
  const [uuid = '', number] = rest;
  if (rest.length > 2 || !uuid.startsWith(clusterId) || !isContainerUuid(uuid)) return undefined;
  if (number !== undefined && !/^[1-9]\d{0,8}$/.test(number)) return undefined;
  const named = { uuid, ...(number === undefined ? {} : { attempt: Number(number) }) };
  if (word === 'started') return { type: 'watch.started', ...named };
  return word === 'ended' ? { type: 'watch.ended', ...named } : undefined;
}

function watchBroken(reason: string): WatchEvent {
  return { type: 'watch.broken', ...(reason === '' ? {} : { reason }) };
}

/** The program does not know the flag, or the server has no session to spare for it: polling serves alone. */
function isForGood(error: unknown): boolean {
  if (!(error instanceof ExecutorError)) return false;
  return error.code === 'session-limit' || (error.code === 'exit' && error.exitCode === 2);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
