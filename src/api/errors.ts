import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { QueueError } from '../queue/queue.js';
import { ExecutorError } from '../ssh/executor.js';
import type { ApiDeps } from './deps.js';
import type { KnownRoutes } from './known-routes.js';
import { fail } from './legacy-routes.js';
import { LogBudget } from './log-budget.js';

const loggedFaults = { most: 20, intervalMs: 60_000 };

/**
 * Answers errors: client errors with their text, errors of the daemon with a general text and a rate-limited log line.
 * Unsupported methods of known paths get 405 with `Allow` (RFC 9110, 15.5.6).
 */
export function answerErrors(
  app: FastifyInstance,
  { clock, log, metrics }: Pick<ApiDeps, 'clock' | 'log' | 'metrics'>,
  routes: KnownRoutes,
): void {
  const budget = new LogBudget(clock, loggedFaults);
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    if (hasZodFastifySchemaValidationErrors(error)) {
      const texts = error.validation.map((issue) => {
        const path = issue.instancePath.split('/').filter(Boolean).join('.');
        return `${path || error.validationContext || 'request'}: ${issue.message}`;
      });
      return fail(reply, 400, ...texts);
    }
    if (error instanceof QueueError) return fail(reply, statusOf(error), error.message);
    if (error instanceof ExecutorError) return fail(reply.type('application/json'), 503, error.message);
    const status = error.statusCode ?? 500;
    if (status === 413) metrics.clientRefused('too-large');
    if (status === 429) metrics.clientRefused('rate');
    if (status < 500) return fail(reply, status, error.message);
    budget.spend((leftOut) => {
      const { method } = request;
      const path = request.url.split('?')[0];
      const fields = { component: 'api', method, path, err: error, ...(leftOut > 0 ? { leftOut } : {}) };
      log.error(fields, 'request failed');
    });
    return fail(reply, status, 'internal error; the log of the daemon has the cause');
  });
  const answerUnknown = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const methods = routes.methodsOf(request.url.split('?')[0]!);
    if (methods.length === 0) return fail(reply, 404, 'not found');
    return fail(reply.header('allow', methods.join(', ')), 405, 'method not allowed');
  };
  // Runs before the body is read, which some methods require and others forbid.
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) answerUnknown(request, reply);
    else done();
  });
  app.setNotFoundHandler(answerUnknown);
}

/** Answers malformed and late HTTP requests, and closes the connection (RFC 9110, 15.5). */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const [status, text] = clientErrors[error.code ?? ''] ?? ['400 Bad Request', 'this is not an HTTP request'];
  const body = `${JSON.stringify({ errors: [text] })}\n`;
  const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  if (socket.writable) socket.write(`${head}\r\n\r\n${body}`);
  socket.destroy();
}

const clientErrors: Readonly<Record<string, readonly [string, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request did not arrive in time'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the head of the request is too large'],
};

/** Returns the status for a queue error. */
export function statusOf(error: QueueError): number {
  const statuses = {
    conflict: 409,
    'not-found': 404,
    unavailable: 503,
    superseded: 503,
    invalid: 400,
    unsupported: 501,
  };
  return statuses[error.code];
}
