import { existsSync } from 'node:fs';
import { join } from 'node:path';
import rateLimit from '@fastify/rate-limit';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import * as z from 'zod';
import { fail } from './legacy-routes.js';
import { sessionCookie, type Sessions } from './session.js';

export interface PageOptions {
  /** Where the built page is. */
  folder: string;
  sessions: Sessions;
  isToken(token: string): boolean;
  /** Cookies are sent over TLS only. */
  isSecure: boolean;
}

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const loginsPerMinute = 20;

/** The page itself, open to everyone as it holds nothing, and the login that lets it ask for the rest. */
export async function addPageRoutes(app: FastifyInstance, options: PageOptions): Promise<void> {
  const { folder, sessions, isSecure } = options;
  const cookie = { path: '/', httpOnly: true, sameSite: 'strict', secure: isSecure } as const;
  await app.register(async (open) => {
    await open.register(rateLimit, { global: false });
    open.withTypeProvider<ZodTypeProvider>().post(
      '/v1/login',
      {
        schema: { body: z.object({ token: z.string().min(1).max(10_000) }) },
        config: { isPublic: true, rateLimit: { max: loginsPerMinute, timeWindow: 60_000 } },
      },
      (request, reply) => {
        if (!options.isToken(request.body.token)) return fail(reply, 403, 'this is not the management token');
        const { value, expiresAt } = sessions.open();
        return reply
          .setCookie(sessionCookie, value, { ...cookie, expires: new Date(expiresAt) })
          .send({ expiresAt: new Date(expiresAt).toISOString() });
      },
    );
  });
  app.post('/v1/logout', { config: { isPublic: true } }, (_request, reply) =>
    reply.clearCookie(sessionCookie, cookie).code(204).send(),
  );
  if (!existsSync(join(folder, 'index.html'))) {
    app.get('/', { config: { isPublic: true } }, (_request, reply) =>
      fail(reply, 503, 'the page was not built: run npm run build'),
    );
    return;
  }
  await app.register(async (open) => {
    open.addHook('onRoute', (route) => {
      route.config = { ...route.config, isPublic: true };
    });
    await open.register(fastifyStatic, {
      root: folder,
      wildcard: false,
      preCompressed: true,
      cacheControl: false,
      setHeaders: (reply) => {
        reply.header('content-security-policy', policy);
        reply.header('x-content-type-options', 'nosniff');
        reply.header('referrer-policy', 'no-referrer');
        reply.header('cache-control', 'no-cache');
      },
    });
  });
}
