import { Readable } from 'node:stream';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import * as z from 'zod';
import { PoolError } from '../fleet/pool.js';
import type { JournalEntry } from '../journal/journal.js';
import { replayKinds } from '../journal/replay/step-recorder.js';
import type { ApiDeps } from './deps.js';
import { heldGrowthOf } from './growth.js';
import { healthOf } from './health.js';
import { fail } from './legacy-routes.js';
import { orderedBy } from './requester.js';
import { instanceBody, timeOf } from './wire.js';
import type { InstanceView } from '../domain/instance-view.js';

const idParams = z.object({ id: z.string() });
const replayParams = z.object({ instance: z.string() });
const replayQuery = z.object({ limit: z.coerce.number().int().min(1).max(5_000).default(500) });
const orderBody = z.object({ reason: z.string().max(1_000).default('') }).nullish();
const clearBody = z
  .object({
    reason: z.string().max(1_000).default(''),
    force: z.boolean().default(false).describe('Nothing runs there: the host is not checked.'),
  })
  .nullish();
const resetBody = z.object({ key: z.string(), reason: z.string().max(1_000).default('') });
const journalQuery = z.object({
  instance: z.string().optional(),
  container: z.string().optional(),
  kind: z.string().optional(),
  since: z.coerce.number().optional().describe('Epoch ms.'),
  steps: z.enum(['0', '1']).default('0').describe('1: with the steps for replay.'),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
});

const exportQuery = journalQuery.extend({ limit: z.coerce.number().int().min(1).optional() });

async function* linesOf(pages: AsyncIterable<readonly JournalEntry[]>): AsyncGenerator<string> {
  for await (const entries of pages) yield entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
}

/** Routes of instances: operator commands, breakers, explanations, journal and replay. */
export const instanceRoutes =
  (deps: ApiDeps): FastifyPluginCallbackZod =>
  (app, _options, done) => {
    const { pool, store, journal, breakers } = deps;
    const bodyOf = (view: InstanceView) => instanceBody(view, deps.conduct?.(view.instanceId));
    app.get('/instances', () => ({ items: pool.instances().map(bodyOf) }));
    app.get('/instances/:id', { schema: { params: idParams } }, (request, reply) => {
      const view = pool.instances().find(({ instanceId }) => instanceId === request.params.id);
      return view ? bodyOf(view) : fail(reply, 404, 'instance not found');
    });
    for (const order of ['hold', 'drain', 'run', 'kill'] as const) {
      app.post(
        `/instances/:id/${order}`,
        { schema: { params: idParams, body: orderBody } },
        (request, reply) => {
          const because = orderedBy(request, request.body?.reason ?? '');
          try {
            if (order === 'kill') pool.killInstance(request.params.id, because);
            else pool.setIdleBehavior(request.params.id, order, because);
          } catch (error) {
            if (error instanceof PoolError) return fail(reply, 404, error.message);
            throw error;
          }
          const view = pool.instances().find(({ instanceId }) => instanceId === request.params.id);
          return view ? bodyOf(view) : reply.send({});
        },
      );
    }
    app.post(
      '/instances/:id/clear-quarantine',
      { schema: { params: idParams, body: clearBody } },
      async (request, reply) => {
        const { id } = request.params;
        const { reason = '', force = false } = request.body ?? {};
        const outcome = await deps.clearQuarantine(id, force);
        if (outcome.is === 'none') return fail(reply, 404, `instance ${id} is not quarantined`);
        if (outcome.is === 'leaving')
          return fail(reply, 409, `instance ${id} is being destroyed: its quarantine ends with it`);
        if (outcome.is === 'refused') {
          const remedy = 'end what runs there, or use force if nothing runs there';
          return fail(reply, 409, `instance ${id} stays in quarantine: ${outcome.because}; ${remedy}`);
        }
        deps.orders.quarantineCleared(id, orderedBy(request, reason));
        return reply.send({});
      },
    );
    app.get('/explain/:id', { schema: { params: idParams } }, async (request, reply) => {
      const explanation = await deps.explain(request.params.id);
      return explanation ?? fail(reply, 404, 'no instance or container has this id');
    });
    app.get(
      '/replay/:instance',
      { schema: { params: replayParams, querystring: replayQuery } },
      async (request, reply) => {
        const replay = await deps.replay(request.params.instance, request.query.limit);
        return replay ?? fail(reply, 404, 'no recorded steps of this instance');
      },
    );
    app.get('/journal', { schema: { querystring: journalQuery } }, async (request) => {
      const { steps, ...filter } = request.query;
      const without = steps === '1' || filter.kind !== undefined ? undefined : replayKinds;
      return { items: await journal.read({ ...filter, without }) };
    });
    app.get('/journal/export', { schema: { querystring: exportQuery } }, (request, reply) => {
      const { steps, limit, ...filter } = request.query;
      const without = steps === '1' || filter.kind !== undefined ? undefined : replayKinds;
      const pages = journal.pages({ ...filter, without, ...(limit === undefined ? {} : { limit }) });
      return reply.type('application/x-ndjson; charset=utf-8').send(Readable.from(linesOf(pages)));
    });
    app.get('/breakers', () => ({
      items: breakers.list().map((each) => ({ ...each, until: timeOf(each.until) })),
    }));
    app.post('/breakers/reset', { schema: { body: resetBody } }, (request, reply) => {
      const { key, reason } = request.body;
      if (!breakers.reset(key)) return fail(reply, 404, `breaker "${key}" does not exist`);
      deps.orders.breakerReset(key, orderedBy(request, reason));
      return reply.send({});
    });
    app.get('/status', async () => {
      const role = deps.role();
      const isLeading = role.state === 'leading';
      return {
        version: deps.version,
        role: { ...role, fault: role.fault ?? null, leader: role.leader ?? null },
        // The data of a store that does not respond is unknown.
        containers: await store.counts().catch(() => null),
        failed: (await store.failed().catch(() => undefined)) ?? null,
        ...(isLeading ? { instances: pool.countWorkers(), atQuota: pool.atQuota() } : {}),
        health: healthOf(deps) ?? heldGrowthOf(deps) ?? 'OK',
        isWell: healthOf(deps) === undefined,
      };
    });
    done();
  };
