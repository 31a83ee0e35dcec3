import type { StartFault } from '../domain/start-fault.js';
import type { StartFailure } from '../machines/worker-effects.js';
import { startRefusals } from '../runner/exit-codes.js';
import { StartDocumentError } from '../runner/start-document.js';
import { ExecutorError, type ExecutorErrorCode } from '../ssh/executor.js';
import { remoteFailure } from './remote-failure.js';
import { firstAndLast } from '../domain/first-and-last.js';

/** The line or the server was in the way, which is judged by probes. */
const lineCodes: ReadonlySet<ExecutorErrorCode> = new Set([
  'no-address',
  'refused',
  'closed',
  'session-limit',
  'aborted',
]);
/** What a shell says when it cannot run the program. */
const notFoundCodes = [126, 127];
const longestReason = 1_000;

/** One of which all is known. */
export type KnownStartFailure = StartFailure &
  Required<Pick<StartFailure, 'fault' | 'ranNothing' | 'reason'>>;

/**
 * A failed start as plain data: whose fault it is, and whether it is certain that nothing ran. `isOurs`: the runner
 * program is Longshore's, whose exit codes are known.
 */
export function startFailure(error: unknown, isOurs: boolean): KnownStartFailure {
  const failure = remoteFailure(error);
  if (error instanceof StartDocumentError) {
    const reason = error.message;
    return { ...failure, code: 'invalid', fault: 'container', ranNothing: true, reason, exitCode: undefined };
  }
  if (!(error instanceof ExecutorError)) {
    return {
      ...failure,
      fault: 'daemon',
      ranNothing: false,
      reason: failure.message,
      exitCode: undefined,
    };
  }
  const { code, exitCode, sent } = error;
  return {
    ...failure,
    exitCode,
    fault: faultOf(error, isOurs),
    ranNothing: !sent || (code === 'exit' && isRefusal(exitCode, isOurs)),
    reason: reasonOf(error),
  };
}

function faultOf({ code, exitCode, sent }: ExecutorError, isOurs: boolean): StartFault {
  if (lineCodes.has(code) || (code === 'timeout' && !sent)) return 'line';
  if (code !== 'exit' || !isOurs) return 'instance';
  if (exitCode === startRefusals.badDocument) return 'container';
  if (exitCode === startRefusals.occupied) return 'occupied';
  return exitCode === startRefusals.brokenInstance ? 'broken-instance' : 'instance';
}

/** The exit codes that say so before anything was begun. */
function isRefusal(exitCode: number | undefined, isOurs: boolean): boolean {
  if (exitCode === undefined) return false;
  if (notFoundCodes.includes(exitCode)) return true;
  return isOurs && (exitCode === startRefusals.badDocument || exitCode === startRefusals.brokenInstance);
}

function reasonOf({ code, message, exitCode, stderr }: ExecutorError): string {
  if (code !== 'exit') return `the start command failed (${code}): ${firstAndLast(message, longestReason)}`;
  const said = firstAndLast(stderr.trim(), longestReason);
  return `the start command exited with status ${exitCode}${said === '' ? '' : `: ${said}`}`;
}
