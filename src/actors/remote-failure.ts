import { MandateError } from '../domain/leader-guard.js';
import { cleanNotice } from '../domain/clean-notice.js';
import { instanceLimits } from '../domain/instance-limits.js';
import { QueueError } from '../queue/queue.js';
import { ExecutorError, type ExecutorErrorCode } from '../ssh/executor.js';
import type { RemoteFailure } from '../machines/worker-effects.js';
import { DeadlineError } from '../async/deadline.js';
import { UnknownInstanceError } from '../fleet/instance-executors.js';
import { UnsafeUuidError } from '../runner/remote-command.js';

/** What is normal while an instance boots; anything else points at a setting (P-7). */
const expectedCodes: ReadonlySet<ExecutorErrorCode> = new Set([
  'no-address',
  'refused',
  'timeout',
  'closed',
  'exit',
  'aborted',
]);

/**
 * An error as plain data. Those of the executor and the queue keep their code; `gone`: the instance left the pool
 * meanwhile; `unsafe`: no container id; `superseded`: another daemon leads; `fault`: all others.
 */
export function remoteFailure(error: unknown): RemoteFailure {
  if (error instanceof ExecutorError) {
    const { code, exitCode, bootId } = error;
    const message = clean(error.message);
    const stdout = clip(error.stdout);
    const stderr = clip(error.stderr);
    const facts = { ...(exitCode !== undefined && { exitCode }), ...(bootId !== undefined && { bootId }) };
    return { ok: false, code, message, stdout, stderr, expected: isExpected(error), ...facts };
  }
  const { code, expected } = classify(error);
  const message = clean(error instanceof Error ? error.message : String(error));
  return { ok: false, code, message, stdout: '', stderr: '', expected };
}

/** Of what a command printed, so much is kept: its first part and its last. */
const longestOutput = 4_096;

const clean = (text: string): string => cleanNotice(text, instanceLimits.textLength);

function clip(text: string): string {
  const half = longestOutput / 2;
  return text.length <= longestOutput ? text : `${text.slice(0, half)}\n[…]\n${text.slice(-half)}`;
}

/** A host that could not be verified because its secret is not there yet, or the line broke, is booting like any other. */
function isExpected({ code, cause }: ExecutorError): boolean {
  if (code === 'host-key' && cause instanceof ExecutorError) return expectedCodes.has(cause.code);
  return expectedCodes.has(code);
}

function classify(error: unknown): { code: string; expected: boolean } {
  if (error instanceof QueueError) return { code: error.code, expected: false };
  if (error instanceof MandateError) return { code: 'superseded', expected: true };
  if (error instanceof DeadlineError) return { code: 'timeout', expected: true };
  if (error instanceof UnknownInstanceError) return { code: 'gone', expected: true };
  if (error instanceof UnsafeUuidError) return { code: 'unsafe', expected: false };
  if (error instanceof Error && error.name === 'AbortError') return { code: 'aborted', expected: true };
  return { code: 'fault', expected: false };
}
