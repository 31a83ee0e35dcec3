import { ExecutorError, type ExecutorErrorCode } from '../ssh/executor.js';
import type { RemoteFailure } from '../machines/worker-effects.js';

/** What is normal while an instance boots; anything else points at a setting (P-7). */
const expectedCodes: ReadonlySet<ExecutorErrorCode> = new Set([
  'no-address',
  'refused',
  'timeout',
  'closed',
  'exit',
  'aborted',
]);

/** An executor's error as plain data. Other errors are faults. */
export function remoteFailure(error: unknown): RemoteFailure {
  if (error instanceof ExecutorError) {
    const { code, message, stdout, stderr } = error;
    return { ok: false, code, message, stdout, stderr, expected: expectedCodes.has(code) };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { ok: false, code: 'fault', message, stdout: '', stderr: '', expected: false };
}
