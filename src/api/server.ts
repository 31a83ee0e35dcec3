import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import compress from '@fastify/compress';
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import websocket from '@fastify/websocket';
import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import type { ApiSettings } from '../config/config.js';
import { QueueError } from '../queue/queue.js';
import { ExecutorError } from '../ssh/executor.js';
import { authenticateWith, tokenTest } from './authenticate.js';
import { containerRoutes, statusOf } from './container-routes.js';
import type { ApiDeps } from './deps.js';
import { instanceRoutes } from './instance-routes.js';
import { addLegacyRoutes, fail } from './legacy-routes.js';
import { liveRoutes } from './live-routes.js';
import { addPageRoutes } from './page-routes.js';
import { Sessions } from './session.js';
import { shellRoutes } from './shell-routes.js';

export interface RunningApi {
  /** `http://host:port`. */
  url: string;
  close(): Promise<void>;
}

const bodyLimitBytes = 64 * 1024 * 1024;
const shellMessageBytes = 1024 * 1024;

/** Serves the API. Rejects when the address cannot be had. */
export async function startApi(deps: ApiDeps, settings: ApiSettings): Promise<RunningApi> {
  const app = await buildApi(deps, settings);
  const separator = settings.listen.lastIndexOf(':');
  const host = settings.listen.slice(0, separator).replace(/^\[|\]$/g, '') || '127.0.0.1';
  await app.listen({ host, port: Number(settings.listen.slice(separator + 1)) });
  // A connection that cannot be accepted, as for want of descriptors, is no reason to end.
  app.server.on('error', (err) => deps.log.error({ component: 'api', err }, 'a connection was not accepted'));
  const { address, port, family } = app.server.address() as AddressInfo;
  const scheme = settings.tlsCertFile === '' ? 'http' : 'https';
  return {
    url: `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: () => app.close(),
  };
}

/** All routes, behind the management token. */
export async function buildApi(deps: ApiDeps, settings: ApiSettings): Promise<FastifyInstance> {
  const tls = settings.tlsCertFile
    ? { https: { cert: readFileSync(settings.tlsCertFile), key: readFileSync(settings.tlsKeyFile) } }
    : {};
  const app = fastify({
    ...tls,
    bodyLimit: bodyLimitBytes,
    forceCloseConnections: true,
  }) as unknown as FastifyInstance;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  const sessions = new Sessions(deps.managementToken, deps.clock);
  await app.register(websocket, { options: { maxPayload: shellMessageBytes } });
  await app.register(cookie);
  await app.register(compress, { threshold: 2_048, encodings: ['gzip', 'identity'] });
  app.addHook('onRequest', authenticateWith(deps.managementToken, sessions));
  app.setErrorHandler<FastifyError>((error, _request, reply) => {
    if (hasZodFastifySchemaValidationErrors(error)) {
      const texts = error.validation.map((issue) => {
        const path = issue.instancePath.split('/').filter(Boolean).join('.');
        return `${path || error.validationContext || 'request'}: ${issue.message}`;
      });
      return fail(reply, 400, ...texts);
    }
    if (error instanceof QueueError) return fail(reply, statusOf(error), error.message);
    if (error instanceof ExecutorError && error.code === 'session-limit') {
      return fail(reply.type('application/json'), 503, error.message);
    }
    const status = error.statusCode ?? 500;
    if (status >= 500) deps.log.error({ component: 'api', err: error }, 'request failed');
    return fail(
      reply,
      status,
      status >= 500 ? 'the daemon could not do this; its log says why' : error.message,
    );
  });
  app.setNotFoundHandler((request, reply) => {
    const [path = ''] = request.url.split('?');
    const isKnown = ['GET', 'POST', 'PATCH'].some(
      (method) => app.findRoute({ url: path, method: method }) !== null,
    );
    return isKnown ? fail(reply, 405, 'method not allowed') : fail(reply, 404, 'not found');
  });
  await app.register(formbody);
  await app.register(swagger, {
    openapi: { info: { title: 'Longshore', version: deps.version } },
    transform: jsonSchemaTransform,
  });
  await app.register(swaggerUi, { routePrefix: '/docs' });
  addLegacyRoutes(app, deps);
  await app.register(containerRoutes(deps), { prefix: '/v1' });
  await app.register(instanceRoutes(deps), { prefix: '/v1' });
  await app.register(liveRoutes(deps), { prefix: '/v1' });
  await app.register(shellRoutes(deps), { prefix: '/v1' });
  await addPageRoutes(app, {
    folder: deps.pageFolder,
    sessions,
    isToken: tokenTest(deps.managementToken),
    isSecure: settings.tlsCertFile !== '',
  });
  await app.ready();
  return app;
}
