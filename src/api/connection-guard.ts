import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Metrics } from '../metrics/metrics.js';
import { clientGroup } from './client-address.js';

export interface ConnectionLimits {
  /** Connections before a login, from everywhere. */
  unproven: number;
  /** Of them, from one address. */
  perAddress: number;
  /** All connections. */
  all: number;
  /** For a whole request before a login, its body and the answer included. */
  requestMs: number;
}

interface Unproven {
  socket: Socket;
  address: string;
  openedAt: number;
  deadlineAt: number;
}

const mostUnproven = 1_024;
const mostPerAddress = 64;
const requestMs = 15_000;
/** Who opens many connections at once has this long to log in on each. */
const graceMs = 1_000;
const sweepMs = 1_000;

/** Limits that leave more than half of the descriptors of the process to its work. */
export function limitsWithin(descriptors: number): ConnectionLimits {
  const unproven = Math.min(mostUnproven, Math.max(8, Math.floor(descriptors / 8)));
  return {
    unproven,
    perAddress: Math.min(mostPerAddress, Math.max(4, Math.floor(unproven / 2))),
    all: Math.max(16, Math.floor(descriptors / 3)),
    requestMs,
  };
}

/**
 * Bounds the connections over which nobody has shown a token: their number in all and from each address, and the time
 * for a request. One too many ends the oldest, so that a flood that holds connections open keeps no client out.
 */
export class ConnectionGuard {
  readonly #limits: ConnectionLimits;
  readonly #metrics: Pick<Metrics, 'clientRefused'>;
  /** By address and port of the client, oldest first: a connection with TLS has two sockets. */
  readonly #unproven = new Map<string, Unproven>();
  readonly #perAddress = new Map<string, number>();

  constructor(limits: ConnectionLimits, metrics: Pick<Metrics, 'clientRefused'>) {
    this.#limits = limits;
    this.#metrics = metrics;
  }

  /** Guards a server, until that is closed. */
  watch(server: HttpServer | HttpsServer): void {
    server.maxConnections = this.#limits.all;
    server.on('drop', () => this.#metrics.clientRefused('crowded'));
    server.on('connection', (socket: Socket) => this.#opened(socket));
    const timer = setInterval(() => this.#endSlow(), sweepMs);
    timer.unref();
    server.on('close', () => clearInterval(timer));
  }

  /** A request over this connection was authenticated. */
  prove(socket: Socket): void {
    this.#forget(keyOf(socket));
  }

  /** A request over this connection was answered: the next one has its own time. */
  answered(socket: Socket): void {
    const connection = this.#unproven.get(keyOf(socket));
    if (connection) connection.deadlineAt = performance.now() + this.#limits.requestMs;
  }

  #opened(socket: Socket): void {
    if (socket.remoteAddress === undefined) return void socket.destroy();
    const now = performance.now();
    const address = clientGroup(socket.remoteAddress);
    const key = keyOf(socket);
    this.#unproven.set(key, { socket, address, openedAt: now, deadlineAt: now + this.#limits.requestMs });
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    socket.once('close', () => {
      if (this.#unproven.get(key)?.socket === socket) this.#forget(key);
    });
    if ((this.#perAddress.get(address) ?? 0) > this.#limits.perAddress) {
      const oldest = this.#oldest((each) => each.address === address);
      if (oldest && now - oldest.openedAt > graceMs) this.#end(oldest, 'crowded');
    }
    if (this.#unproven.size > this.#limits.unproven) {
      const oldest = this.#oldest(() => true);
      if (oldest) this.#end(oldest, 'crowded');
    }
  }

  #oldest(matches: (connection: Unproven) => boolean): Unproven | undefined {
    for (const connection of this.#unproven.values()) if (matches(connection)) return connection;
    return undefined;
  }

  #endSlow(): void {
    const now = performance.now();
    for (const connection of this.#unproven.values()) {
      if (connection.deadlineAt <= now) this.#end(connection, 'slow');
    }
    for (const [address, count] of this.#perAddress) {
      for (let left = count; left > this.#limits.perAddress; left--) {
        const oldest = this.#oldest((each) => each.address === address);
        if (oldest && now - oldest.openedAt > graceMs) this.#end(oldest, 'crowded');
      }
    }
  }

  #end({ socket }: Unproven, reason: 'crowded' | 'slow'): void {
    this.#metrics.clientRefused(reason);
    this.#forget(keyOf(socket));
    socket.destroy();
  }

  #forget(key: string): void {
    const connection = this.#unproven.get(key);
    if (!connection) return;
    this.#unproven.delete(key);
    const left = (this.#perAddress.get(connection.address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(connection.address);
    else this.#perAddress.set(connection.address, left);
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress}|${socket.remotePort}`;
}
