import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import * as z from 'zod';
import { containerStates, isFinal, type ContainerState } from '../domain/container.js';
import type { ContainerRecord } from '../queue/container-store.js';
import { containerRequestSchema, requestBodyOf } from './container-request.js';
import type { ApiDeps } from './deps.js';
import { assertAccepting } from './health.js';
import { fail } from './legacy-routes.js';
import { followedOutput, keptOutput, presentOutput } from './container-output.js';
import { orderedBy } from './requester.js';
import { containerBody } from './wire.js';

const uuidParams = z.object({ uuid: z.string() });
const stateNames = containerStates.join('|');
const listQuery = z.object({
  state: z
    .string()
    .optional()
    .meta({ description: 'Comma separated states.', pattern: `^(${stateNames})(,(${stateNames}))*$` }),
  name: z.string().optional(),
  instance: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  after: z
    .string()
    .optional()
    .meta({ description: 'The `next` of the previous page.', pattern: '^[0-9]{1,15}:[a-z0-9-]+$' }),
});
const logQuery = z.object({
  stream: z.enum(['stdout', 'stderr', 'both']).default('stdout'),
  follow: z.enum(['0', '1']).default('0'),
});

const submissionBytes = 64 * 1024 * 1024;

/** Routes of containers: submit, list, get, cancel, priority, output. */
export const containerRoutes =
  (deps: ApiDeps): FastifyPluginCallbackZod =>
  (app, _options, done) => {
    const { store, dispatcher, orders } = deps;
    const body = (record: ContainerRecord): Record<string, unknown> =>
      containerBody(record, isFinal(record.state) ? undefined : dispatcher.wait(record.uuid));

    app.post(
      '/containers',
      {
        bodyLimit: submissionBytes,
        schema: { body: z.object({ containers: z.array(containerRequestSchema).min(1).max(10_000) }) },
      },
      async (request, reply) => {
        assertAccepting(deps);
        const records = await store.submit(request.body.containers);
        return reply.code(201).send({ items: records.map(body) });
      },
    );
    app.get('/containers', { schema: { querystring: listQuery } }, async (request, reply) => {
      const { state, name, instance, limit, after } = request.query;
      const states = (state?.split(',') ?? []) as ContainerState[];
      const wrong = states.find((each) => !containerStates.includes(each));
      if (wrong !== undefined) {
        return fail(reply, 400, `state: "${wrong}" is not a state: use ${containerStates.join(', ')}`);
      }
      const page = await store.list({ states, name, instanceId: instance, limit, after });
      return reply.send({ items: page.items.map(body), next: page.next ?? null });
    });
    app.get('/containers/:uuid', { schema: { params: uuidParams } }, async (request, reply) => {
      const record = await store.find(request.params.uuid);
      return record ? body(record) : fail(reply, 404, 'container not found');
    });
    app.get(
      '/containers/:uuid/request',
      {
        schema: {
          params: uuidParams,
          description: 'The body with which to submit the same container again.',
        },
      },
      async (request, reply) => {
        const record = await store.find(request.params.uuid);
        return record ? requestBodyOf(record) : fail(reply, 404, 'container not found');
      },
    );
    app.patch(
      '/containers/:uuid',
      {
        schema: {
          params: uuidParams,
          body: z.object({ priority: z.union([z.int(), z.string().regex(/^\d{1,18}$/)]) }),
        },
      },
      async (request, reply) => {
        const { uuid } = request.params;
        await store.setPriority(uuid, BigInt(request.body.priority));
        orders.containerOrder(uuid, `priority ${request.body.priority}`, orderedBy(request, ''));
        return reply.send(body((await store.find(request.params.uuid))!));
      },
    );
    app.post(
      '/containers/:uuid/cancel',
      {
        schema: {
          params: uuidParams,
          body: z.object({ reason: z.string().max(1_000).default('') }).nullish(),
        },
      },
      async (request, reply) => {
        const because = orderedBy(request, request.body?.reason ?? '');
        await store.cancel(request.params.uuid, because);
        orders.containerOrder(request.params.uuid, 'cancel', because);
        return reply.send(body((await store.find(request.params.uuid))!));
      },
    );
    app.get(
      '/containers/:uuid/logs',
      // Compression would delay the output of a running container.
      { schema: { params: uuidParams, querystring: logQuery }, compress: false },
      async (request, reply) => {
        const record = await store.find(request.params.uuid);
        if (!record) return fail(reply, 404, 'container not found');
        const { stream, follow } = request.query;
        const streams = stream === 'both' ? (['stdout', 'stderr'] as const) : [stream];
        const kept = await store.output(record.uuid);
        const signal = abortOf(reply);
        if (kept) return sendText(reply, keptOutput(kept, streams));
        const printed = follow === '1' ? followedOutput : presentOutput;
        return sendText(reply, printed(deps, record.uuid, streams, signal));
      },
    );
    done();
  };

function abortOf(reply: FastifyReply): AbortSignal {
  const abort = new AbortController();
  reply.raw.on('close', () => abort.abort());
  return abort.signal;
}

function sendText(reply: FastifyReply, text: AsyncIterable<string>): FastifyReply {
  return reply
    .type('text/plain; charset=utf-8')
    .header('x-content-type-options', 'nosniff')
    .send(Readable.from(text));
}
