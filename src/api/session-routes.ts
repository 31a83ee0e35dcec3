import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import * as z from 'zod';
import { fail } from './legacy-routes.js';
import type { Sessions } from './session.js';
import { timeOf } from './wire.js';

const idParams = z.object({ id: z.string() });

/** Routes of login sessions: list and end. */
export const sessionRoutes =
  (sessions: Sessions): FastifyPluginCallbackZod =>
  (app, _options, done) => {
    app.get('/sessions', async () => ({
      items: (await sessions.list()).map(({ id, address, openedAt, expiresAt }) => ({
        id,
        address,
        openedAt: timeOf(openedAt),
        expiresAt: timeOf(expiresAt),
      })),
    }));
    app.post('/sessions/:id/end', { schema: { params: idParams } }, async (request, reply) => {
      const isEnded = await sessions.endById(request.params.id);
      return isEnded ? reply.send({}) : fail(reply, 404, 'session not found');
    });
    done();
  };
