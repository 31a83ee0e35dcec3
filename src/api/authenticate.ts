import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { pageHeader, sessionCookie, type Sessions } from './session.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Served without a login. */
    isPublic?: boolean;
  }
}

/** Tells the management token from any other text, in the same time whatever it is. None is one while none is set. */
export function tokenTest(managementToken: string): (token: string) => boolean {
  const wanted = digest(managementToken);
  return (token) => managementToken !== '' && timingSafeEqual(digest(token), wanted);
}

/** Refuses whoever brings neither the management token (H-1, H-2) nor the cookie of a login. */
export function authenticateWith(managementToken: string, sessions: Sessions) {
  const isToken = tokenTest(managementToken);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (request.routeOptions.config?.isPublic) return;
    if (managementToken === '') {
      return refuse(reply, 403, 'Management API authentication is not configured');
    }
    const tokens = tokensOf(request);
    const session = request.cookies[sessionCookie];
    if (tokens.length === 0 && session !== undefined && sessions.isOpen(session)) {
      if (isReading(request) || request.headers[pageHeader] !== undefined) return;
      return refuse(reply, 403, `a request of a logged-in page needs the header ${pageHeader}`);
    }
    if (tokens.length === 0) return refuse(reply, 401, 'Unauthorized');
    if (tokens.filter(isToken).length === 0) return refuse(reply, 403, 'Forbidden');
  };
}

/** True for a request that brings a token itself; one that passed the check brings the right one. */
export function carriesToken(request: FastifyRequest): boolean {
  return tokensOf(request).length > 0;
}

function isReading({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

async function refuse(reply: FastifyReply, status: number, text: string): Promise<void> {
  await reply.code(status).type('text/plain; charset=utf-8').send(text);
}

/** Every token the request carries, wherever it may be (H-2). */
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
  const query = new URL(request.url, 'http://localhost').searchParams.getAll('api_token');
  tokens.push(...query);
  const cookie = /(?:^|;\s*)arvados_api_token=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
  if (cookie !== undefined) tokens.push(Buffer.from(cookie, 'base64url').toString('utf8'));
  return tokens.map((token) => token.trim()).filter((token) => token !== '');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
