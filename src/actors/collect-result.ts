import { fromPromise } from 'xstate';
import type { Clock } from '../domain/clock.js';
import type { ContainerOnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import { instanceLimits } from '../domain/instance-limits.js';
import type { Queue } from '../queue/queue.js';
import { CollectError, parseCollected, type CollectedResult } from '../runner/collected-result.js';
import { timesOfRun } from '../runner/result-times.js';
import { ExecutorError } from '../ssh/executor.js';
import type { FairSlots } from '../async/fair-slots.js';
import { bounded } from '../async/deadline.js';
import type { Conduct } from '../fleet/conduct.js';
import type { Executors } from '../fleet/instance-executors.js';
import { asRoot, uuidWord } from '../runner/remote-command.js';
import { remoteFailure } from './remote-failure.js';
import type { RunnerProgram } from '../runner/program.js';
import type { StartFailures } from '../fleet/start-failures.js';
import { inTurn } from '../async/semaphore.js';

export interface CollectResultDeps {
  executors: Executors;
  runner: RunnerProgram;
  queue: Queue;
  failures: StartFailures;
  /** Bytes of each stream the runner keeps; bounds what is read. */
  logLimitBytes: number;
  /** Of each of the three steps. */
  timeoutMs: number;
  /** How many results may be on their way at once: each is held in memory, up to three times. */
  collects: FairSlots;
  clock: Clock;
}

/**
 * Brings a result to the queue, and only when it is durable there, or refused for good as that of another attempt or
 * instance, removes it from the instance.
 * A container whose supervising program died without leaving a result is lost, not complete: the queue decides whether
 * it runs again.
 * What a container engine did not run has no result: nothing is charged for the instance's fault, and the next attempt
 * avoids the instance.
 * Nothing is asked for of a container that a quarantined instance was never given.
 * A result that could not be removed is listed as ended by the next probe and comes here again.
 */
export const collectResultWith = (deps: CollectResultDeps) =>
  fromPromise<RemoteOutcome, ContainerOnInstance>(async ({ input, signal }) => {
    if (!deps.runner.isOurs) return { ok: true };
    try {
      const uuid = uuidWord(input.uuid);
      const turns = deps.collects.of(input.instanceId);
      await inTurn(turns, signal, async () => {
        if (deps.executors.conduct.isRefused(input.instanceId, uuid)) return;
        await bringHome(deps, { ...input, uuid }, signal);
      });
      return { ok: true };
    } catch (error) {
      return remoteFailure(error);
    }
  });

/** What cannot be read, or does not come from an instance that answers otherwise, is a strike. */
function judge(conduct: Conduct, error: unknown, { instanceId, uuid, startedAt }: Try): void {
  const isLate = error instanceof ExecutorError && error.code === 'timeout' && error.sent;
  const isSlow = isLate && conduct.hasAnsweredSince(instanceId, startedAt);
  if (!isSlow && !(error instanceof CollectError)) return;
  const because = `the result of ${uuid} cannot be collected: ${error.message}`;
  conduct.strike({ instanceId, kind: 'collect', because });
}

interface Try extends ContainerOnInstance {
  /** When it was asked for; epoch ms. */
  startedAt: number;
}

async function bringHome(
  { executors, runner, queue, failures, logLimitBytes, timeoutMs, clock }: CollectResultDeps,
  { instanceId, uuid }: ContainerOnInstance,
  signal: AbortSignal,
): Promise<void> {
  const program = await runner.command(executors.of(instanceId));
  const { executor, instance } = executors.of(instanceId);
  const call = (mode: string): string => asRoot(`${program} ${mode} ${uuid}`, instance.remoteUser);
  const maxOutputBytes = 65_536 + 3 * logLimitBytes;
  const startedAt = clock.now();
  let collected: CollectedResult;
  try {
    const { stdout } = await executor.run(call('--collect'), { timeoutMs, signal, maxOutputBytes });
    collected = parseCollected(uuid, stdout);
  } catch (error) {
    judge(executors.conduct, error, { instanceId, uuid, startedAt });
    throw error;
  }
  const { isLost, attempt, fault, durationMs, endedAgoMs, hostTimes: _, ...rest } = collected;
  const result = { ...rest, ...timesOfRun({ durationMs, endedAgoMs }, clock.now()) };
  const origin = { instanceId, attempt };
  const report = (): Promise<unknown> => {
    // One that never began may have lost its supervisor as well, and is not charged.
    if (isLost && !fault) return queue.lost(uuid, result.note, origin);
    if (!fault) return queue.complete(uuid, result, origin);
    const { kind, text: reason } = fault;
    const ranNothing = kind === 'instance';
    failures.failed(uuid, { ...origin, reason, ranNothing });
    return ranNothing ? queue.revertStart(uuid, { ...origin, reason }) : queue.lost(uuid, reason, origin);
  };
  await bounded('the queue', report, { timeoutMs, clock, signal });
  // A later attempt may have left its own result there meanwhile.
  const word = attempt === undefined ? '' : ` ${attempt}`;
  const discard = { timeoutMs, signal, maxOutputBytes: instanceLimits.outputBytes.discard };
  await executor.run(`${call('--discard')}${word}`, discard).catch(ifExecutorError);
}

/** The result is home, so that a discard that failed is no reason to give the container up. */
function ifExecutorError(error: unknown): void {
  if (!(error instanceof ExecutorError)) throw error;
}
