import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PoolError } from '../fleet/pool.js';
import type { ApiDeps } from './deps.js';
import { healthOf } from './health.js';
import { legacyContainer, legacyInstance } from './wire.js';

type Parameters = Record<string, string | string[] | undefined>;

/** The reference's management API (section 10), with the errors listed there fixed. */
export function addLegacyRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { pool, dispatcher, metrics } = deps;
  const root = '/arvados/v1/dispatch';
  app.get(`${root}/containers`, () => ({ items: dispatcher.containers().map(legacyContainer) }));
  app.get(`${root}/container`, (request, reply) => {
    const uuid = parameter(request, 'container_uuid');
    const view = dispatcher.containers().find(({ entry }) => entry.container.uuid === uuid);
    return view ? legacyContainer(view) : fail(reply, 404, 'container not found');
  });
  app.post(`${root}/containers/kill`, (request, reply) => {
    const uuid = parameter(request, 'container_uuid');
    if (uuid === '') return fail(reply, 400, 'container_uuid parameter not provided');
    if (!pool.killContainer(uuid, reasonOf(request))) return fail(reply, 404, 'container not found');
    deps.orders.containerOrder(uuid, 'kill', reasonOf(request));
    return reply.send();
  });
  app.get(`${root}/instances`, () => ({ items: pool.instances().map(legacyInstance) }));
  for (const order of ['hold', 'drain', 'run', 'kill'] as const) {
    app.post(`${root}/instances/${order}`, (request, reply) => {
      const id = parameter(request, 'instance_id');
      if (id === '') return fail(reply, 400, 'instance_id parameter not provided');
      try {
        if (order === 'kill') pool.killInstance(id, reasonOf(request));
        else pool.setIdleBehavior(id, order, reasonOf(request));
      } catch (error) {
        if (error instanceof PoolError) return fail(reply, 404, error.message);
        throw error;
      }
      return reply.send();
    });
  }
  app.get('/metrics', async (_request, reply) => {
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  app.get('/metrics.json', async (_request, reply) => reply.send(await metrics.registry.getMetricsAsJSON()));
  app.get('/_health/ping', (request, reply) => {
    if (!/^bearer /i.test(request.headers.authorization ?? '')) {
      return reply.code(401).type('text/plain').send('authorization required\n');
    }
    const error = healthOf(deps);
    return error === undefined ? { health: 'OK' } : { error, health: 'ERROR' };
  });
}

/** H-4. */
export function fail(reply: FastifyReply, status: number, ...errors: string[]): FastifyReply {
  return reply
    .code(status)
    .header('x-content-type-options', 'nosniff')
    .type('application/json')
    .send(`${JSON.stringify({ errors })}\n`);
}

/** Reads a parameter from the query or a form (H-3). */
function parameter(request: FastifyRequest, name: string): string {
  const value =
    (request.query as Parameters)[name] ?? (request.body as Parameters | null | undefined)?.[name];
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

function reasonOf(request: FastifyRequest): string {
  return `via management API: ${parameter(request, 'reason')}`;
}
