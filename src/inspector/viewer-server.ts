import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { InspectError } from './inspect-choice.js';
import { viewerPage, viewerPageHeaders } from './viewer-page.js';

export interface ViewerServerOptions {
  /** On loopback; 0: assigned by the system. */
  port: number;
  /** The page in the frame. Default: Stately's. */
  inspectorUrl?: string;
  /** A viewer connected; `send` reaches only this viewer, `part` disconnects it. */
  joined(send: (text: string) => void, part: () => void): void;
  /** A viewer disconnected; `left` viewers remain. */
  parted?(left: number): void;
  /** Called for a problem that affects only viewers; a sentence without its full stop. */
  warn(what: string): void;
}

export interface ViewerServer {
  /** `http://127.0.0.1:PORT/KEY`: the page in a browser, and the address of the web socket. */
  url: string;
  viewers(): number;
  /** Sends to all viewers. Never waits: a viewer that reads too slowly is disconnected. */
  send(text: string): void;
  close(): Promise<void>;
}

const statelyInspector = 'https://stately.ai/inspect';
const mostViewers = 8;
/** Backlog limit of one viewer. A fleet of thousands needs less for a new viewer. */
const longestBacklogBytes = 32 * 2 ** 20;
const pingIntervalMs = 30_000;

/**
 * Serves viewers by web socket, on loopback, to clients that know the key in the address: snapshots describe the fleet,
 * and other users of the host or web pages in its browsers must not see them. Rejects with {@link InspectError}.
 */
export async function startViewerServer(options: ViewerServerOptions): Promise<ViewerServer> {
  const { inspectorUrl = statelyInspector } = options;
  const key = randomBytes(16).toString('hex');
  const server = createServer((request, response) => {
    if (!isAllowed(request, key)) return void response.writeHead(404).end();
    const nonce = randomBytes(16).toString('base64');
    response.writeHead(200, viewerPageHeaders(inspectorUrl, nonce, request.headers.host ?? ''));
    response.end(viewerPage(inspectorUrl, nonce));
  });
  const port = await listen(server, options.port);
  const sockets = new WebSocketServer({
    server,
    maxPayload: 1_024,
    verifyClient: ({ req }: { req: IncomingMessage }) =>
      isAllowed(req, key) && sockets.clients.size < mostViewers,
  });
  // Also an error of the server: a connection that it cannot accept must not end the daemon.
  sockets.on('error', (error) => options.warn(`a viewer could not connect (${error.message})`));
  const silent = new WeakSet<WebSocket>();
  const sendTo = (socket: WebSocket, text: string): void => {
    if (socket.readyState !== socket.OPEN || text === '') return;
    if (socket.bufferedAmount > longestBacklogBytes) {
      options.warn('a viewer of the inspector read too slowly and was disconnected');
      return socket.terminate();
    }
    socket.send(text);
  };
  sockets.on('connection', (socket) => {
    socket.on('error', () => socket.terminate());
    socket.on('pong', () => silent.delete(socket));
    socket.on('close', () => options.parted?.(sockets.clients.size));
    options.joined(
      (text) => sendTo(socket, text),
      () => socket.terminate(),
    );
  });
  const pings = setInterval(() => {
    for (const socket of sockets.clients) {
      if (silent.has(socket)) socket.terminate();
      else socket.ping(() => silent.add(socket));
    }
  }, pingIntervalMs);
  pings.unref();
  return {
    url: `http://127.0.0.1:${port}/${key}`,
    viewers: () => sockets.clients.size,
    send: (text) => {
      for (const socket of sockets.clients) sendTo(socket, text);
    },
    close: () => {
      clearInterval(pings);
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Accepts only clients with the key, and no page of another site in a browser on this host. */
function isAllowed({ url = '', headers }: IncomingMessage, key: string): boolean {
  const { host = '', origin } = headers;
  const given = Buffer.from(url.slice(1));
  const isKnown = given.length === key.length && timingSafeEqual(given, Buffer.from(key));
  const isLoopback = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host);
  return isKnown && isLoopback && (origin === undefined || origin === `http://${host}`);
}

function listen(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.on('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new InspectError(
          `the inspector cannot listen on port ${port} (${cause.code ?? cause.message})`,
          'Give another one with --inspect-port or as api.inspectPort; 0 lets the system choose.',
          { cause },
        ),
      ),
    );
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
