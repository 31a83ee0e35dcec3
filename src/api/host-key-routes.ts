import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import * as z from 'zod';
import type { PinnedHostKey } from '../domain/host-key.js';
import type { ApiDeps } from './deps.js';
import { fail } from './legacy-routes.js';
import { orderedBy } from './requester.js';
import { timeOf } from './wire.js';

const idParams = z.object({ id: z.string() });
const acceptBody = z
  .object({
    fingerprint: z
      .string()
      .regex(/^SHA256:[A-Za-z0-9+/]{43}$/)
      .optional()
      .describe('As OpenSSH shows it. Default: the last rejected key.'),
    reason: z.string().max(1_000).default(''),
  })
  .nullish();

/** Routes of pinned host keys: get and accept. */
export const hostKeyRoutes =
  ({ hostKeys }: Pick<ApiDeps, 'hostKeys'>): FastifyPluginCallbackZod =>
  (app, _options, done) => {
    app.get('/instances/:id/host-key', { schema: { params: idParams } }, (request, reply) => {
      const key = hostKeys.of(request.params.id);
      return key ? hostKeyBody(key) : fail(reply, 404, 'no pinned host key for this instance');
    });
    app.post(
      '/instances/:id/accept-host-key',
      { schema: { params: idParams, body: acceptBody } },
      (request, reply) => {
        const { fingerprint, reason = '' } = request.body ?? {};
        const outcome = hostKeys.accept(request.params.id, fingerprint, orderedBy(request, reason));
        if (outcome.is === 'unknown') return fail(reply, 404, 'instance not found');
        if (outcome.is === 'refused') return fail(reply, 409, outcome.because);
        return hostKeyBody(outcome.key);
      },
    );
    done();
  };

function hostKeyBody({ instanceId, type, fingerprint, pinnedAt, isFinal, refused }: PinnedHostKey) {
  return {
    instance: instanceId,
    type,
    fingerprint,
    pinnedAt: timeOf(pinnedAt),
    isFinal,
    refused: refused ?? null,
  };
}
