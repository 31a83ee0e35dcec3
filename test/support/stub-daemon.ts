import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface StubRequest {
  method: string;
  path: string;
  body: unknown;
}

export interface StubReply {
  status?: number;
  body: unknown;
}

/** An API that says what a test wants it to say, and what it was asked. */
export interface StubDaemon {
  daemon: { url: string };
  requests: StubRequest[];
  close(): void;
}

/** `answer` returns `undefined` for a path that it does not know. */
export async function startStubDaemon(
  answer: (request: StubRequest) => StubReply | undefined,
): Promise<StubDaemon> {
  const requests: StubRequest[] = [];
  const server = createServer((request, response) => {
    void text(request).then((sent) => {
      const { pathname } = new URL(request.url ?? '/', 'http://stub');
      const seen = {
        method: request.method ?? '',
        path: decodeURIComponent(pathname),
        body: sent === '' ? undefined : (JSON.parse(sent) as unknown),
      };
      requests.push(seen);
      const { status = 200, body } = answer(seen) ?? { status: 404, body: { errors: ['not found'] } };
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
  });
  // A client that was busy for a while would otherwise send its next request on a connection that is being closed.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    daemon: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` },
    requests,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
