import { MandateError } from '../domain/mandate.js';
import { QueueError } from '../queue/queue.js';
import { ExecutorError, type ExecutorErrorCode } from '../ssh/executor.js';
import type { RemoteFailure } from '../machines/worker-effects.js';
import { DeadlineError } from './bounded.js';
import { UnknownInstanceError } from './executors.js';
import { UnsafeUuidError } from './remote-command.js';

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
    const { code, message, stdout, stderr, exitCode, bootId } = error;
    const facts = { ...(exitCode !== undefined && { exitCode }), ...(bootId !== undefined && { bootId }) };
    return { ok: false, code, message, stdout, stderr, expected: isExpected(error), ...facts };
  }
  const { code, expected } = classify(error);
  const message = error instanceof Error ? error.message : String(error);
  return { ok: false, code, message, stdout: '', stderr: '', expected };
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
