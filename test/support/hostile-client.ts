import { connect, type Socket } from 'node:net';

/** What came back over one connection until it was closed, or until the time was over. */
export interface RawReply {
  /** Of the first answer; `undefined`: none came. */
  status: number | undefined;
  text: string;
  /** The daemon closed the connection in time. */
  closed: boolean;
  afterMs: number;
}

export interface RawOptions {
  /** The address that the connection comes from: loopback has many. */
  from?: string;
  withinMs?: number;
}

/** Connections that are held open. */
export interface HeldConnections {
  /** How many the daemon has not closed. */
  readonly open: number;
  close(): void;
}

/** Requests that are none, or that mean something else than they seem: none carries a right token. */
export const malformedRequests: readonly string[] = [
  'GET //[ HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET //[?api_token=a-token-in-the-query HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /v1/containers/%00?limit=%ff HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET http://[::1/v1/status HTTP/1.1\r\nHost: x\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n',
  'TRACE / HTTP/1.1\r\nHost: x\r\n\r\n',
  'CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n',
  'NONSENSE / HTTP/9.9\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000',
  `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  `GET /v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${'%'.repeat(100)}\r\n\r\n`,
  'GET /v1/status HTTP/1.1\r\nHost: x\r\nCookie: longshore_session=a.b; arvados_api_token=%\r\n\r\n',
  'POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{]}',
  'POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nabc',
  'POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n{"__proto__":{"token":"aaaaa"}}',
  'POST /v1/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'POST /v1/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n',
  'GET /v1/instances/x/shell HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  'GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n',
];

/** A stranger on the network, who has no token and means harm. */
export class HostileClient {
  readonly #host: string;
  readonly #port: number;

  /** `url` of the daemon. */
  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
  }

  /** Sends bytes as they are, and waits until the daemon closes the connection or the time is over. */
  send(bytes: string, { from, withinMs = 5_000 }: RawOptions = {}): Promise<RawReply> {
    const beganAt = performance.now();
    const socket = this.#connect(from);
    let text = '';
    return new Promise((resolve) => {
      const settle = (closed: boolean): void => {
        clearTimeout(timer);
        socket.destroy();
        const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
        resolve({
          status: status === undefined ? undefined : Number(status),
          text,
          closed,
          afterMs: performance.now() - beganAt,
        });
      };
      const timer = setTimeout(() => settle(false), withinMs);
      socket.on('data', (chunk: Buffer) => (text = (text + chunk.toString('latin1')).slice(0, 64 * 1024)));
      socket.once('close', () => settle(true));
      socket.write(bytes, 'latin1');
    });
  }

  /** One request with this token, over a connection of its own; its status. */
  async tryToken(token: string, options: RawOptions & { path?: string } = {}): Promise<number | undefined> {
    const { path = '/v1/status', ...rest } = options;
    const head = `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    return (await this.send(head, rest)).status;
  }

  /** Posts a body of that size as fast as the daemon takes it; resolves when the connection ends. */
  postLarge(path: string, bytes: number, options: RawOptions & { type?: string } = {}): Promise<RawReply> {
    const { from, type = 'application/json', withinMs = 60_000 } = options;
    const beganAt = performance.now();
    const socket = this.#connect(from);
    const chunk = Buffer.alloc(64 * 1024, 'a');
    let left = bytes;
    let text = '';
    const write = (): void => {
      while (left > 0 && !socket.destroyed) {
        const part = chunk.subarray(0, Math.min(left, chunk.length));
        left -= part.length;
        if (!socket.write(part)) break;
      }
    };
    return new Promise((resolve) => {
      const settle = (closed: boolean): void => {
        clearTimeout(timer);
        socket.destroy();
        const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
        resolve({
          status: status === undefined ? undefined : Number(status),
          text,
          closed,
          afterMs: performance.now() - beganAt,
        });
      };
      const timer = setTimeout(() => settle(false), withinMs);
      socket.on('data', (part: Buffer) => (text = (text + part.toString('latin1')).slice(0, 4_096)));
      socket.on('drain', write);
      socket.once('close', () => settle(true));
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${bytes}\r\n\r\n`,
      );
      write();
    });
  }

  /** Opens connections that begin a login and never finish it. */
  async holdLogins(count: number, { from }: RawOptions = {}): Promise<HeldConnections> {
    const half =
      'POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{';
    const sockets = new Set<Socket>();
    const opened = Array.from({ length: count }, async () => {
      const socket = this.#connect(from);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.resume();
      await new Promise((resolve) => {
        socket.once('connect', () => socket.write(half, resolve));
        socket.once('close', resolve);
      });
    });
    await Promise.all(opened);
    return {
      get open() {
        return sockets.size;
      },
      close: () => sockets.forEach((socket) => socket.destroy()),
    };
  }

  /**
   * Attacks of every kind, drawn at random, until the signal; returns how many of each were made. Answers of 500 and
   * above are faults of the daemon: they are in `faults`.
   */
  async attack(
    random: () => number,
    signal: AbortSignal,
  ): Promise<{ counts: Record<string, number>; faults: string[] }> {
    const counts: Record<string, number> = {};
    const faults: string[] = [];
    const among = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
    const from = (): string => `127.0.0.${10 + Math.floor(random() * 5)}`;
    const note = (what: string, status: number | undefined): void => {
      if (status !== undefined && status >= 500) faults.push(`${what}: ${status}`);
    };
    const kinds: Record<string, () => Promise<void>> = {
      malformed: async () => {
        const request = among(malformedRequests);
        note(request.slice(0, 60), (await this.send(request, { from: from(), withinMs: 500 })).status);
      },
      tokens: async () => {
        const tries = Array.from({ length: 20 }, () =>
          this.tryToken(`wrong-${random()}`, { from: from(), withinMs: 2_000 }),
        );
        for (const status of await Promise.all(tries)) note('wrong token', status);
      },
      large: async () => {
        const path = among(['/v1/login', '/v1/logout', '/v1/containers', '/']);
        const type = among(['application/json', 'application/x-www-form-urlencoded', 'text/plain']);
        const bytes = 60 * 1024 * 1024;
        note(
          `large ${path}`,
          (await this.postLarge(path, bytes, { from: from(), type, withinMs: 5_000 })).status,
        );
      },
      held: async () => {
        const held = await this.holdLogins(50, { from: from() });
        await new Promise((resolve) => setTimeout(resolve, 200));
        held.close();
      },
    };
    while (!signal.aborted) {
      const kind = among(Object.keys(kinds));
      counts[kind] = (counts[kind] ?? 0) + 1;
      await kinds[kind]!();
    }
    return { counts, faults };
  }

  #connect(from: string | undefined): Socket {
    const socket = connect({
      host: this.#host,
      port: this.#port,
      ...(from === undefined ? {} : { localAddress: from }),
    });
    // What the daemon does to the connection is seen by its end.
    socket.on('error', () => {});
    return socket;
  }
}
