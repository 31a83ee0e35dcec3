import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Refuses whoever does not bring the management token (H-1, H-2). Comparison takes the same time for any token. */
export function authenticateWith(managementToken: string) {
  const wanted = digest(managementToken);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (managementToken === '') {
      return refuse(reply, 403, 'Management API authentication is not configured');
    }
    const tokens = tokensOf(request);
    if (tokens.length === 0) return refuse(reply, 401, 'Unauthorized');
    const isAllowed = tokens.filter((token) => timingSafeEqual(digest(token), wanted)).length > 0;
    if (!isAllowed) return refuse(reply, 403, 'Forbidden');
  };
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
