import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Stands between a client and a server on a socket; can lose everything, in both directions, without a word. */
export interface TcpProxy {
  port: number;
  /** Connections stay open, and nothing goes through any more; new ones are accepted and get no answer. */
  blackHole(): void;
  /** Connections end, and none is accepted until `heal`. */
  cut(): void;
  /** What was held back by `blackHole` is lost, with its connections. */
  heal(): void;
  close(): Promise<void>;
}

/** `to`: the path of a socket, or a host and port. */
export async function startTcpProxy(to: string | { host: string; port: number }): Promise<TcpProxy> {
  let mode: 'open' | 'hole' | 'cut' = 'open';
  const pairs = new Set<[Socket, Socket | undefined]>();
  const server: Server = createServer((client) => {
    if (mode === 'cut') return void client.destroy();
    const upstream = mode === 'open' ? connect(to as string) : undefined;
    const pair: [Socket, Socket | undefined] = [client, upstream];
    pairs.add(pair);
    const end = (): void => {
      // A hole does not tell one side that the other went away.
      if (mode === 'hole') return;
      pairs.delete(pair);
      client.destroy();
      upstream?.destroy();
    };
    for (const socket of pair) socket?.on('error', end).on('close', end);
    client.on('data', (chunk) => void (mode === 'open' && upstream?.write(chunk)));
    upstream?.on('data', (chunk) => void (mode === 'open' && client.write(chunk)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const drop = (): void => {
    for (const [client, upstream] of pairs) {
      client.destroy();
      upstream?.destroy();
    }
    pairs.clear();
  };
  return {
    port: (server.address() as AddressInfo).port,
    blackHole: () => void (mode = 'hole'),
    cut: () => {
      mode = 'cut';
      drop();
    },
    heal: () => {
      mode = 'open';
      drop();
    },
    close: () => {
      mode = 'cut';
      drop();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** The address of the same database by way of the proxy. */
export function throughProxy(url: string, { port }: TcpProxy): string {
  const { pathname, username } = new URL(url);
  return `postgres://${username}@127.0.0.1:${port}${pathname}`;
}
