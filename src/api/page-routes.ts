import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { fail } from './legacy-routes.js';
import { publicRoute } from './login-routes.js';

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

/** Loading the page once takes about thirty requests. */
const filesPerMinute = 3_000;

/** Serves the built page from its folder, without login, because it contains no data. */
export async function addPageRoutes(app: FastifyInstance, folder: string): Promise<void> {
  if (!existsSync(join(folder, 'index.html'))) {
    app.get('/', publicRoute(filesPerMinute), (_request, reply) =>
      fail(reply, 503, 'the page is not built: run npm run build'),
    );
    return;
  }
  await app.register(async (open) => {
    open.addHook('onRoute', (route) => {
      const { bodyLimit, config } = publicRoute(filesPerMinute);
      route.bodyLimit = bodyLimit;
      route.config = { ...route.config, ...config };
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
