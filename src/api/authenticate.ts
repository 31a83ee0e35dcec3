import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ConnectionGuard } from './connection-guard.js';
import { pageHeader, sessionCookie, type Sessions } from './session.js';
import type { TokenFailures } from './token-failures.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Routes that need no login. */
    isPublic?: boolean;
  }
}

export interface Authentication {
  managementToken: string;
  sessions: Sessions;
  failures: TokenFailures;
  connections: Pick<ConnectionGuard, 'prove'>;
}

/** Compares with the management token in constant time; always false when none is configured. */
export function tokenTest(managementToken: string): (token: string) => boolean {
  const expected = digest(managementToken);
  return (token) => managementToken !== '' && timingSafeEqual(digest(token), expected);
}

/**
 * Rejects requests without the management token (H-1, H-2) and without the cookie of a login. A browser attaches cookies
 * and remembered passwords to requests that other sites cause. Therefore a change with a cookie alone needs the header of
 * the page, and a change with a password must not come from another site.
 */
export function authenticateWith({ managementToken, sessions, failures, connections }: Authentication) {
  const isToken = tokenTest(managementToken);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (!URL.canParse(request.url, 'http://localhost')) {
      return refuse(reply, 400, 'the request target is not a path');
    }
    if (hasNul(request.url)) return refuse(reply, 400, 'the request target has a zero byte');
    if (request.routeOptions.config?.isPublic) return;
    if (managementToken === '') {
      return refuse(reply, 403, 'Management API authentication is not configured');
    }
    const accept = (): void => connections.prove(request.raw.socket);
    const tokens = tokensOf(request);
    if (tokens.some(isToken)) {
      if (isPassword(request) && !isReading(request) && isForeign(request)) {
        return refuse(reply, 403, 'a change with a password must not come from another site');
      }
      return accept();
    }
    const cookieToken = tokenInCookie(request);
    const session = request.cookies[sessionCookie];
    const isLoggedIn =
      tokens.length === 0 &&
      (isToken(cookieToken) || (session !== undefined && (await sessions.isOpen(session))));
    if (isLoggedIn) {
      accept();
      if (isReading(request) || request.headers[pageHeader] !== undefined) {
        if (session !== undefined && !isToken(cookieToken)) endWithSession(sessions, session, reply);
        return;
      }
      return refuse(reply, 403, `a request with only a cookie needs the header ${pageHeader}`);
    }
    if (tokens.length === 0 && cookieToken === '') return refuse(reply, 401, 'Unauthorized');
    const waitSeconds = failures.record(request.ip);
    if (waitSeconds === undefined) return refuse(reply, 403, 'Forbidden');
    void reply.header('retry-after', waitSeconds);
    return refuse(reply, 429, 'too many wrong tokens from this address');
  };
}

/** Whether the request carries a token; behind the check, that token is right. */
export function carriesToken(request: FastifyRequest): boolean {
  return tokensOf(request).length > 0;
}

/** Whether a page of another site caused the request. */
export function isForeign({ headers }: FastifyRequest): boolean {
  const { origin, host } = headers;
  if (headers['sec-fetch-site'] === 'cross-site') return true;
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host;
}

/** Ends a pending response when its session ends. */
function endWithSession(sessions: Sessions, session: string, reply: FastifyReply): void {
  const stop = sessions.whenEnded(session, () => reply.raw.destroy());
  reply.raw.once('close', stop);
}

function isReading({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Closes the connection with the response, so that a rejected client cannot continue to send its body. */
async function refuse(reply: FastifyReply, status: number, text: string): Promise<void> {
  if (hasBody(reply.request) || status === 429) void reply.header('connection', 'close');
  await reply.code(status).type('text/plain; charset=utf-8').send(text);
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** A token with a zero byte counts as a wrong token. */
function hasNul(url: string): boolean {
  return url.replaceAll(/(?<=[?&]api_token=)[^&]*/g, '').includes('%00');
}

function isPassword({ headers }: FastifyRequest): boolean {
  return /^\s*basic\s/i.test(headers.authorization ?? '');
}

/** Returns every token in the request itself (H-2), without the cookie, which the browser attaches. */
function tokensOf(request: FastifyRequest): string[] {
  const tokens: string[] = [];
  const header = request.headers.authorization ?? '';
  const [scheme = '', ...rest] = header.trim().split(/\s+/);
  const credentials = rest.join(' ');
  if (/^(bearer|oauth2)$/i.test(scheme)) tokens.push(credentials);
  if (/^basic$/i.test(scheme)) {
    const [, ...password] = Buffer.from(credentials, 'base64').toString('utf8').split(':');
    tokens.push(password.join(':'));
  }
  const start = request.url.indexOf('?');
  if (start >= 0) tokens.push(...new URLSearchParams(request.url.slice(start)).getAll('api_token'));
  return tokens.map((token) => token.trim()).filter((token) => token !== '');
}

/** Returns the token in the cookie of Arvados (H-2), or `''`. */
function tokenInCookie(request: FastifyRequest): string {
  const cookie = /(?:^|;\s*)arvados_api_token=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
  return cookie === undefined ? '' : Buffer.from(cookie, 'base64url').toString('utf8').trim();
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
