import { ExecutorError, type ExecutorErrorCode } from './executor.js';

interface SshFault extends Error {
  level?: string;
  code?: string;
  reason?: number;
}

const byLevel: Readonly<Record<string, ExecutorErrorCode>> = {
  'client-timeout': 'timeout',
  'client-authentication': 'auth',
  handshake: 'protocol',
  protocol: 'protocol',
};

const refusals = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNRESET',
  'EPIPE',
]);

/** An error of ssh2 or of its socket while connecting, as the one error of the executor contract. */
export function translateConnectError(error: unknown): ExecutorError {
  if (error instanceof ExecutorError) return error;
  const fault = error as SshFault;
  const message = fault instanceof Error ? fault.message : String(error);
  const code = codeOf(fault);
  return new ExecutorError(code, code === 'auth' ? `unable to authenticate: ${message}` : message, {
    cause: error,
  });
}

/** An error of opening a channel: the server's session limit, or a connection that is gone. */
export function translateChannelError(error: unknown): ExecutorError {
  const fault = error as SshFault;
  const message = fault instanceof Error ? fault.message : String(error);
  if (typeof fault.reason === 'number') {
    return new ExecutorError('session-limit', `the server refused a session: ${message}`, { cause: error });
  }
  return new ExecutorError('closed', `the connection is gone: ${message}`, { cause: error });
}

function codeOf(fault: SshFault): ExecutorErrorCode {
  if (fault.code === 'ETIMEDOUT') return 'timeout';
  if (fault.code !== undefined && refusals.has(fault.code)) return 'refused';
  return byLevel[fault.level ?? ''] ?? (fault.level === 'client-socket' ? 'refused' : 'protocol');
}
