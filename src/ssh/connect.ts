import { connect as connectSocket, type Socket } from 'node:net';
import ssh2, { type Client } from 'ssh2';
import type { Clock } from '../domain/clock.js';
import { ExecutorError } from './executor.js';
import type { HostAndPort } from './address.js';
import { hostKeyAlgorithms } from './host-key.js';
import { translateConnectError } from './translate-error.js';

export interface ConnectOptions extends HostAndPort {
  username: string;
  privateKey: string;
  /** Type of the key that the host is to show if it has several; not given: any. */
  hostKeyType?: string | undefined;
  /** For TCP, handshake and login together. */
  timeoutMs: number;
  keepaliveIntervalMs: number;
  clock: Clock;
  signal: AbortSignal;
  /** The peer hung up after the login. */
  onLost(client: Client): void;
}

export interface Connected {
  client: Client;
  hostKey: Buffer;
}

const ciphers = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes256-ctr',
];

/** One attempt to log in. The host key is recorded, not judged. Rejects with {@link ExecutorError}. */
export function connect(options: ConnectOptions): Promise<Connected> {
  const { clock, signal } = options;
  const client = new ssh2.Client();
  // Our own socket: ssh2 has no other way to set noDelay before the handshake.
  const socket = connectSocket({ host: options.host, port: options.port, noDelay: true });
  let hostKey: Buffer | undefined;
  return new Promise((resolve, reject) => {
    let isSettled = false;
    const settle = (error: unknown): void => {
      if (isSettled) return;
      isSettled = true;
      clock.clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      if (error === undefined) return resolve({ client, hostKey: hostKey! });
      hangUp(client, socket);
      reject(translateConnectError(error));
    };
    const onAbort = (): void => settle(new ExecutorError('aborted', 'connecting was given up'));
    const timer = clock.setTimeout(
      () => settle(new ExecutorError('timeout', `no SSH login within ${options.timeoutMs} ms`)),
      options.timeoutMs,
    );
    signal.addEventListener('abort', onAbort, { once: true });
    // These stay for the life of the client: a late error without a listener would end the process.
    client.on('error', settle);
    socket.on('error', settle);
    client.on('close', () => {
      settle(new ExecutorError('protocol', 'the peer hung up during the SSH handshake'));
      options.onLost(client);
    });
    client.on('ready', () => settle(undefined));
    if (signal.aborted) return onAbort();
    try {
      client.connect({
        sock: socket,
        username: options.username,
        privateKey: options.privateKey,
        // The deadline above covers all; ssh2's own is only a backstop.
        readyTimeout: options.timeoutMs + 5_000,
        keepaliveInterval: options.keepaliveIntervalMs,
        keepaliveCountMax: 3,
        algorithms: {
          cipher: ciphers as never,
          serverHostKey: hostKeyAlgorithms(options.hostKeyType ?? '') as never,
        },
        hostVerifier: (key: Buffer, verify: (isValid: boolean) => void) => {
          hostKey ??= Buffer.from(key);
          verify(hostKey.equals(key));
        },
      });
    } catch (error) {
      settle(error);
    }
  });
}

/** Ends the connection at once, whatever its state. */
export function hangUp(client: Client, socket?: Socket): void {
  client.destroy();
  socket?.destroy();
}
