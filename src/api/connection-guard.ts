import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Metrics } from '../observability/metrics.js';
import { clientGroup } from './client-address.js';

export interface ConnectionLimits {
  /** Unauthenticated connections in total. */
  unproven: number;
  /** Unauthenticated connections from one address. */
  perAddress: number;
  /** All connections. */
  all: number;
  /** Time for a whole unauthenticated request, body and response included. */
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
/** Minimum age of an unauthenticated connection before another one replaces it. */
const graceMs = 1_000;
const sweepMs = 1_000;

/** Returns limits that leave more than half of the descriptors of the process to its work. */
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
 * Limits the unauthenticated connections, in total and per address, and the time for a request. A connection above a limit
 * closes the oldest one, so that a flood of idle connections blocks no client.
 */
export class ConnectionGuard {
  readonly #limits: ConnectionLimits;
  readonly #metrics: Pick<Metrics, 'clientRefused'>;
  /** By address and port of the client, oldest first: a TLS connection has two sockets. */
  readonly #unproven = new Map<string, Unproven>();
  readonly #perAddress = new Map<string, number>();

  constructor(limits: ConnectionLimits, metrics: Pick<Metrics, 'clientRefused'>) {
    this.#limits = limits;
    this.#metrics = metrics;
  }

  /** Guards a server until it is closed. */
  watch(server: HttpServer | HttpsServer): void {
    server.maxConnections = this.#limits.all;
    server.on('drop', () => this.#metrics.clientRefused('crowded'));
    server.on('connection', (socket: Socket) => this.#opened(socket));
    const timer = setInterval(() => this.#endSlow(), sweepMs);
    timer.unref();
    server.on('close', () => clearInterval(timer));
  }

  /** Records an authenticated request on this connection. */
  prove(socket: Socket): void {
    this.#forget(keyOf(socket));
  }

  /** Records a response on this connection; the next request gets its own time. */
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
