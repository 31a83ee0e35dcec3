import type { FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import type { WebSocket } from 'ws';
import * as z from 'zod';
import { jsonFrame, parseFrame, type ShellOrder } from '../domain/shell-frames.js';
import { carriesToken, isForeign } from './authenticate.js';
import type { ApiDeps } from './deps.js';
import { fail } from './legacy-routes.js';
import { ShellBridge } from './shell-bridge.js';
import { orderedBy } from './requester.js';

const idParams = z.object({ id: z.string() });
const size = z.int().min(1).max(10_000);
const orderSchema = z.object({
  command: z.string().min(1).max(65_536).optional(),
  terminal: z.object({ name: z.string().regex(/^[\w.+-]{1,64}$/), columns: size, rows: size }).optional(),
  reason: z.string().max(1_000).default(''),
});
const longestFirstWordMs = 10_000;
const longestOpeningMs = 60_000;

/**
 * A user session on an instance, over a web socket. Requires the management token itself instead of a session cookie, so
 * that no page of another site can open one. Journals each session with reason, command and client address.
 */
export const shellRoutes =
  (deps: ApiDeps): FastifyPluginCallbackZod =>
  (app, _options, done) => {
    let open = 0;
    app.get(
      '/instances/:id/shell',
      {
        websocket: true,
        schema: { params: idParams, hide: true },
        preValidation: async (request, reply) => {
          if (!carriesToken(request)) return fail(reply, 403, 'a shell requires the management token itself');
          if (isForeign(request))
            return fail(reply, 403, 'a shell cannot be opened from a page of another site');
          const { id } = request.params;
          const isThere = deps.pool.instances().some(({ instanceId }) => instanceId === id);
          if (!isThere) return fail(reply, 404, 'instance not found');
          return undefined;
        },
      },
      (socket, request) => {
        const isOneTooMany = open >= deps.maxShells;
        open++;
        void serveShell(deps, socket, request, isOneTooMany).finally(() => open--);
      },
    );
    done();
  };

function refuse(socket: WebSocket, code: string, message: string): void {
  socket.send(jsonFrame('refused', { code, message }));
  // A paused socket does not detect that the other side closed it.
  socket.resume();
  socket.close();
}

async function serveShell(
  deps: ApiDeps,
  socket: WebSocket,
  request: FastifyRequest<{ Params: { id: string } }>,
  isOneTooMany: boolean,
): Promise<void> {
  const instanceId = request.params.id;
  const { clock, journal, log } = deps;
  const startedAt = clock.now();
  const from = request.ip;
  // Messages that arrive before the session is open are queued.
  const order = await firstOrder(socket, deps);
  if (typeof order === 'string') return refuse(socket, 'invalid', order);
  if (isOneTooMany) {
    const text = `${deps.maxShells} shells are open: close one, or raise api.maxShells`;
    return refuse(socket, 'limit', text);
  }
  const because = orderedBy(request, order.reason);
  const data = {
    from,
    command: order.command?.slice(0, 1_000) ?? null,
    terminal: order.terminal !== undefined,
  };
  journal.append({ at: startedAt, kind: 'operator.shell', instance: instanceId, because, data });
  log.info({ component: 'api', instanceId, from, because }, 'shell session requested');
  const opening = new AbortController();
  const timer = clock.setTimeout(() => opening.abort(), longestOpeningMs);
  socket.once('close', () => opening.abort());
  try {
    const { command, terminal } = order;
    const opened = await deps.openShell(instanceId, { command, terminal, signal: opening.signal });
    clock.clearTimeout(timer);
    const { session, ...details } = opened;
    socket.send(jsonFrame('opened', { ...details, hostKey: session.hostKey }));
    const bridge = new ShellBridge(socket, session, clock);
    const end = await bridge.ended;
    const durationMs = clock.now() - startedAt;
    const figures = { from, ...end, ...bridge.bytes, durationMs };
    journal.append({
      at: clock.now(),
      kind: 'operator.shell.ended',
      instance: instanceId,
      because,
      data: figures,
    });
    log.info({ component: 'api', instanceId, ...figures }, 'shell session ended');
  } catch (error) {
    clock.clearTimeout(timer);
    const { code = 'unavailable', message } = error as Error & { code?: string };
    const failure = { from, error: code };
    journal.append({
      at: clock.now(),
      kind: 'operator.shell.ended',
      instance: instanceId,
      because: message,
      data: failure,
    });
    refuse(socket, code, message);
  }
}

/** Parses the first message: the command to run, or an error. */
function firstOrder(socket: WebSocket, { clock }: ApiDeps): Promise<ShellOrder | string> {
  return new Promise((resolve) => {
    const settle = (order: ShellOrder | string): void => {
      clock.clearTimeout(timer);
      socket.pause();
      resolve(order);
    };
    const timer = clock.setTimeout(
      () => settle('the first message did not arrive in time'),
      longestFirstWordMs,
    );
    socket.once('close', () => settle('the connection was closed'));
    socket.once('message', (bytes: Buffer) => settle(orderIn(bytes)));
  });
}

function orderIn(bytes: Buffer): ShellOrder | string {
  const first = parseFrame(bytes);
  if (first?.kind !== 'begin') return 'the first message must be the session request';
  try {
    const parsed = orderSchema.safeParse(first.json());
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    return `${issue?.path.join('.') || 'session request'}: ${issue?.message ?? 'not valid'}`;
  } catch {
    return 'the session request is not JSON';
  }
}
