import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import compress from '@fastify/compress';
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import rateLimit from '@fastify/rate-limit';
import swaggerUi from '@fastify/swagger-ui';
import websocket from '@fastify/websocket';
import fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { ApiSettings } from '../config/config.js';
import { authenticateWith, tokenTest } from './authenticate.js';
import { ConnectionGuard, limitsWithin } from './connection-guard.js';
import { containerRoutes } from './container-routes.js';
import type { ApiDeps } from './deps.js';
import { descriptorLimit } from './descriptor-limit.js';
import { addDocument } from './document.js';
import { answerClientError, answerErrors } from './errors.js';
import { hostKeyRoutes } from './host-key-routes.js';
import { instanceRoutes } from './instance-routes.js';
import { KnownRoutes } from './known-routes.js';
import { addLegacyRoutes } from './legacy-routes.js';
import { liveRoutes } from './live-routes.js';
import { addLoginRoutes } from './login-routes.js';
import { addPageRoutes } from './page-routes.js';
import { Sessions } from './session.js';
import { sessionRoutes } from './session-routes.js';
import { shellRoutes } from './shell-routes.js';
import { TokenFailures } from './token-failures.js';

export interface RunningApi {
  /** `http://host:port`. */
  url: string;
  close(): Promise<void>;
}

/** Default limit of a body: submissions are larger, public routes smaller. */
const bodyLimitBytes = 256 * 1024;
const shellMessageBytes = 1024 * 1024;
const longestIdLength = 1_000;
/** Time for the head of a request, and for a TLS handshake. */
const headersTimeoutMs = 10_000;
/** Time for a whole authenticated request. */
const requestTimeoutMs = 300_000;
const deadlineCheckMs = 1_000;

/** Serves the API. Rejects when the address is not available. */
export async function startApi(deps: ApiDeps, settings: ApiSettings): Promise<RunningApi> {
  const app = await buildApi(deps, settings);
  const separator = settings.listen.lastIndexOf(':');
  const host = settings.listen.slice(0, separator).replace(/^\[|\]$/g, '') || '127.0.0.1';
  await app.listen({ host, port: Number(settings.listen.slice(separator + 1)) });
  // A connection that cannot be accepted (for lack of descriptors) must not end the daemon.
  app.server.on('error', (err) => deps.log.error({ component: 'api', err }, 'connection not accepted'));
  const { address, port, family } = app.server.address() as AddressInfo;
  const scheme = settings.tlsCertFile === '' ? 'http' : 'https';
  return {
    url: `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: () => app.close(),
  };
}

/** Builds all routes, behind the management token. */
export async function buildApi(deps: ApiDeps, settings: ApiSettings): Promise<FastifyInstance> {
  const { managementToken, clock } = deps;
  const app = newServer(settings);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  const sessions = new Sessions({ managementToken, store: deps.sessions, clock });
  const failures = new TokenFailures(deps);
  const connections = new ConnectionGuard(limitsWithin(descriptorLimit()), deps.metrics);
  const routes = new KnownRoutes();
  connections.watch(app.server);
  routes.watch(app);
  app.addHook('onClose', () => {
    sessions.stop();
    failures.stop();
  });
  await app.register(websocket, { options: { maxPayload: shellMessageBytes } });
  await app.register(cookie);
  await app.register(compress, { threshold: 2_048, encodings: ['gzip', 'identity'] });
  app.addHook('onRequest', authenticateWith({ managementToken, sessions, failures, connections }));
  app.addHook('onResponse', (request, _reply, done) => {
    connections.answered(request.raw.socket);
    done();
  });
  answerErrors(app, deps, routes);
  await app.register(rateLimit, { global: false });
  await app.register(formbody);
  await addDocument(app, deps.version);
  await app.register(swaggerUi, { routePrefix: '/docs' });
  addLegacyRoutes(app, deps);
  await app.register(containerRoutes(deps), { prefix: '/v1' });
  await app.register(instanceRoutes(deps), { prefix: '/v1' });
  await app.register(hostKeyRoutes(deps), { prefix: '/v1' });
  await app.register(liveRoutes(deps), { prefix: '/v1' });
  await app.register(shellRoutes(deps), { prefix: '/v1' });
  await app.register(sessionRoutes(sessions), { prefix: '/v1' });
  const isSecure = settings.tlsCertFile !== '';
  addLoginRoutes(app, { sessions, failures, isToken: tokenTest(managementToken), isSecure });
  await addPageRoutes(app, deps.pageFolder);
  await app.ready();
  return app;
}

function newServer(settings: ApiSettings): FastifyInstance {
  const timeouts = { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: deadlineCheckMs };
  const options = {
    bodyLimit: bodyLimitBytes,
    requestTimeout: requestTimeoutMs,
    routerOptions: { maxParamLength: longestIdLength },
    forceCloseConnections: true,
    clientErrorHandler: answerClientError,
  };
  if (settings.tlsCertFile === '') {
    return fastify({ ...options, http: timeouts });
  }
  const cert = readFileSync(settings.tlsCertFile);
  const key = readFileSync(settings.tlsKeyFile);
  const https = { ...timeouts, handshakeTimeout: headersTimeoutMs, cert, key };
  return fastify({ ...options, https });
}
