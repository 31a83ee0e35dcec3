import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import * as z from 'zod';
import { fail } from './legacy-routes.js';
import { sessionCookie, type Sessions } from './session.js';
import type { TokenFailures } from './token-failures.js';

export interface LoginOptions {
  sessions: Sessions;
  failures: TokenFailures;
  isToken(token: string): boolean;
  /** Send cookies over TLS only. */
  isSecure: boolean;
}

const publicBodyBytes = 8 * 1024;
const longestToken = 4_096;
/** Limits complete requests per address, right or wrong; wrong tokens have a separate limit. */
const loginsPerMinute = 300;
const logoutsPerMinute = 60;

/** Options of a route without a token: a small body, and a request limit per address. */
export function publicRoute(perMinute: number) {
  return {
    bodyLimit: publicBodyBytes,
    config: { isPublic: true, rateLimit: { max: perMinute, timeWindow: 60_000 } },
  };
}

/** Adds login and logout of the page. */
export function addLoginRoutes(
  app: FastifyInstance,
  { sessions, failures, isToken, isSecure }: LoginOptions,
): void {
  const cookie = { path: '/', httpOnly: true, sameSite: 'strict', secure: isSecure } as const;
  const login = publicRoute(loginsPerMinute);
  const { config } = login;
  app.withTypeProvider<ZodTypeProvider>().post(
    '/v1/login',
    {
      ...login,
      // Counted when the body is complete, so that a slow sender uses up nothing.
      config: { ...config, rateLimit: { ...config.rateLimit, hook: 'preHandler' } },
      schema: { body: z.object({ token: z.string().min(1).max(longestToken) }) },
    },
    async (request, reply) => {
      if (!isToken(request.body.token)) {
        const waitSeconds = failures.record(request.ip);
        if (waitSeconds === undefined) return fail(reply, 403, 'this is not the management token');
        void reply.header('retry-after', waitSeconds).header('connection', 'close');
        return fail(reply, 429, 'too many wrong tokens from this address: wait a minute');
      }
      const { value, expiresAt } = await sessions.open(request.ip);
      return reply
        .setCookie(sessionCookie, value, { ...cookie, expires: new Date(expiresAt) })
        .send({ expiresAt: new Date(expiresAt).toISOString() });
    },
  );
  app.post('/v1/logout', publicRoute(logoutsPerMinute), async (request, reply) => {
    const session = request.cookies[sessionCookie];
    if (session !== undefined) await sessions.end(session);
    return reply.clearCookie(sessionCookie, cookie).code(204).send();
  });
}
