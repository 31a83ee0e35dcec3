import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import * as z from 'zod';
import { hourlyCosts } from './costs.js';
import type { ApiDeps } from './deps.js';
import { eventStream } from './event-stream.js';
import { fleetSummary } from './fleet-summary.js';
import { fail } from './legacy-routes.js';
import type { WorkerStep } from './worker-watchers.js';

const idParams = z.object({ id: z.string() });
const eventsQuery = z.object({ since: z.string().optional().describe('The last received id.') });
const costsQuery = z.object({
  hours: z.coerce
    .number()
    .int()
    .min(1)
    .max(24 * 31)
    .default(24),
});
/** Steps in quick succession are sent together. */
const chartPauseMs = 50;
const uncompressed = { compress: false } as const;

/** Routes of live data: the fleet, the statechart of one instance, and the costs. */
export const liveRoutes =
  (deps: ApiDeps): FastifyPluginCallbackZod =>
  (app, _options, done) => {
    const { pool, live } = deps;
    app.get('/fleet', () => fleetSummary(deps));
    app.get('/costs', { schema: { querystring: costsQuery } }, async (request) => {
      const now = deps.clock.now();
      const sinceAt = now - request.query.hours * 3_600_000;
      const filter = { since: sinceAt, limit: 100_000 };
      const [appeared, gone] = await Promise.all([
        deps.journal.read({ ...filter, kind: 'worker.appeared' }),
        deps.journal.read({ ...filter, kind: 'worker.gone' }),
      ]);
      return hourlyCosts({ appeared, gone, running: pool.instances(), sinceAt, now });
    });
    app.get('/events', { schema: { querystring: eventsQuery }, ...uncompressed }, (request, reply) => {
      // Rejects an unknown instance before the stream begins.
      deps.assertLeading();
      const lastSeen = request.headers['last-event-id'];
      const stream = eventStream(request, reply);
      const since = typeof lastSeen === 'string' ? lastSeen : request.query.since;
      const { missed, stop } = live.feed.listen(since, ({ id, event, data }) =>
        stream.send(event, data, live.feed.nameOf(id)),
      );
      if (missed) stream.send('reset', '{}', live.feed.position);
      stream.onEnd(stop);
      return reply;
    });
    app.get('/instances/:id/chart', { schema: { params: idParams } }, (request, reply) => {
      return live.chart(request.params.id) ?? fail(reply, 404, 'instance not found');
    });
    app.get('/instances/:id/events', { schema: { params: idParams }, ...uncompressed }, (request, reply) => {
      const { id } = request.params;
      if (!live.chart(id)) return fail(reply, 404, 'instance not found');
      const stream = eventStream(request, reply);
      let steps: WorkerStep[] = [];
      let timer: unknown;
      const send = (): void => {
        timer = undefined;
        const chart = live.chart(id);
        stream.send('chart', JSON.stringify({ ...chart, gone: !chart, now: deps.clock.now(), steps }));
        steps = [];
      };
      const stop = live.watchers.add(id, (step) => {
        if (step) steps.push(step);
        timer ??= deps.clock.setTimeout(send, chartPauseMs);
      });
      stream.onEnd(() => {
        stop();
        deps.clock.clearTimeout(timer);
      });
      send();
      return reply;
    });
    done();
  };
