import { createActor, type ActorRefFrom } from 'xstate';
import type { Client } from 'ssh2';
import type { Clock } from '../domain/clock.js';
import { connectionMachine, type ConnectionPort } from '../machines/connection.js';
import { parseAddress } from './address.js';
import { abortError, finishCommand, openChannel, type OpenCommand } from './command.js';
import { connect, hangUp } from './connect.js';
import { frameCommand } from './frame.js';
import {
  ExecutorError,
  type CommandResult,
  type CommandStream,
  type Executor,
  type ExecutorFactory,
  type ExecutorObserver,
  type ExecutorTarget,
  type HostVerifier,
  type RemoteSession,
  type RunOptions,
  type SessionOptions,
} from './executor.js';
import { streamLines } from './line-stream.js';
import { openSessionChannel, sessionOf } from './session.js';
import { Slots } from './slots.js';

export interface SshExecutorOptions {
  privateKey: string;
  /** Port number or service name for addresses that name none. */
  defaultPort: string;
  /** For TCP, handshake and login together; and again for the verification of the host. */
  connectTimeoutMs: number;
  keepaliveIntervalMs: number;
  clock: Clock;
  /** How many may shake hands at once, over all executors of the factory. */
  maxHandshakes: number;
  /** Short commands at once on one connection; sshd allows 10 sessions, and frees them late. */
  maxChannels: number;
}

const defaultMaxOutputBytes = 16 * 1024 * 1024;
const sessionRetryMs = 50;

/** Executors over SSH that share the key and a bound on handshakes. */
export function createExecutorFactory(options: SshExecutorOptions): ExecutorFactory {
  const handshakes = new Slots(options.maxHandshakes);
  return (target, verifyHost, observer) => new SshExecutor(target, verifyHost, observer, options, handshakes);
}

class SshExecutor implements Executor, ConnectionPort {
  readonly #options: SshExecutorOptions;
  readonly #handshakes: Slots;
  readonly #verifyHost: HostVerifier;
  readonly #observer: ExecutorObserver;
  readonly #actor: ActorRefFrom<typeof connectionMachine>;
  readonly #channels: Slots;
  #target: ExecutorTarget;
  #client: Client | undefined;
  #hostKey: Buffer | undefined;
  #verifiedKey: Buffer | undefined;

  constructor(
    target: ExecutorTarget,
    verifyHost: HostVerifier,
    observer: ExecutorObserver,
    options: SshExecutorOptions,
    handshakes: Slots,
  ) {
    this.#target = target;
    this.#verifyHost = verifyHost;
    this.#observer = observer;
    this.#options = options;
    this.#handshakes = handshakes;
    this.#channels = new Slots(options.maxChannels);
    this.#actor = createActor(connectionMachine, {
      clock: options.clock,
      input: { port: this, firstBackOffMs: 100, longestBackOffMs: 5_000 },
    });
    this.#actor.start();
  }

  async run(command: string, options: RunOptions): Promise<CommandResult> {
    const deadline = this.#deadline(options.timeoutMs, 'the command', options.signal);
    try {
      await this.#channels
        .take(deadline.signal)
        .catch(() => Promise.reject(abortError(deadline.signal, false)));
      try {
        const { env, stdin, permit, shell, maxOutputBytes = defaultMaxOutputBytes } = options;
        const { wire, marker } = frameCommand(command, shell);
        const opening = (client: Client): Promise<OpenCommand> => {
          permit?.();
          return openChannel(client, wire, env);
        };
        const channel = await this.#channel(opening, deadline.signal);
        return await finishCommand(channel, { marker, stdin, maxOutputBytes, permit }, deadline.signal);
      } finally {
        this.#channels.release();
      }
    } finally {
      deadline.end();
    }
  }

  async open(command: string, options: { signal: AbortSignal }): Promise<CommandStream> {
    const { wire, marker } = frameCommand(command);
    const opening = (client: Client) => openChannel(client, wire, undefined);
    const stream = streamLines(await this.#channel(opening, options.signal), marker);
    if (options.signal.aborted) stream.close();
    else options.signal.addEventListener('abort', () => stream.close(), { once: true });
    return stream;
  }

  async openSession(options: SessionOptions): Promise<RemoteSession> {
    const opened = await this.#channel((client) => openSessionChannel(client, options), options.signal);
    return sessionOf(opened, this.#verifiedKey ?? Buffer.alloc(0));
  }

  setTarget(target: ExecutorTarget): void {
    this.#target = target;
  }

  close(): Promise<void> {
    this.#actor.send({ type: 'close' });
    return Promise.resolve();
  }

  // What the connection's chart asks for.

  async openConnection(signal: AbortSignal): Promise<void> {
    const { clock, connectTimeoutMs, defaultPort, keepaliveIntervalMs, privateKey } = this.#options;
    const address = parseAddress(this.#target.address, defaultPort);
    await this.#handshakes.take(signal);
    try {
      const { client, hostKey } = await connect({
        ...address,
        username: this.#target.remoteUser,
        privateKey,
        timeoutMs: connectTimeoutMs,
        keepaliveIntervalMs,
        clock,
        signal,
        onLost: (lost) => this.#lost(lost),
      });
      this.#client = client;
      this.#hostKey = hostKey;
    } finally {
      this.#handshakes.release();
    }
    this.#observer.connected();
  }

  async verify(signal: AbortSignal): Promise<void> {
    const client = this.#client;
    const key = this.#hostKey;
    if (!client || !key)
      throw new ExecutorError('closed', 'the connection was lost before the host was verified');
    if (this.#verifiedKey?.equals(key)) return;
    const deadline = this.#deadline(this.#options.connectTimeoutMs, 'the verification of the host', signal);
    const run = async (command: string): Promise<CommandResult> => {
      const { wire, marker } = frameCommand(command);
      const channel = await openChannel(client, wire, undefined);
      return finishCommand(channel, { marker, maxOutputBytes: 65_536 }, deadline.signal);
    };
    try {
      await orAbort(this.#verifyHost(key, run, deadline.signal), deadline.signal);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new ExecutorError('host-key', `the host was not accepted: ${text}`, { cause: error });
    } finally {
      deadline.end();
    }
    this.#verifiedKey = key;
    this.#observer.verified();
  }

  drop(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client) hangUp(client);
  }

  /** A channel that runs the command, on a proven connection; made anew once when the present one turns out dead. */
  async #channel(open: (client: Client) => Promise<OpenCommand>, signal: AbortSignal): Promise<OpenCommand> {
    for (let reconnects = 0; ;) {
      const client = await orAbort(this.#ready(), signal);
      const opening = open(client);
      try {
        return await orAbort(opening, signal);
      } catch (error) {
        if (signal.aborted) {
          opening.then((late) => late.channel.close()).catch(() => {});
          throw abortError(signal, true);
        }
        const { code } = error as ExecutorError;
        if (code === 'session-limit') await orAbort(this.#pause(sessionRetryMs), signal);
        else if (code !== 'closed' || reconnects++ > 0) throw error;
        else this.#lost(client);
      }
    }
  }

  #ready(): Promise<Client> {
    const state = this.#actor.getSnapshot().value;
    if (state === 'ready' && this.#client) return Promise.resolve(this.#client);
    if (state === 'ended') return Promise.reject(new ExecutorError('closed', 'the executor was closed'));
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        for (const subscription of subscriptions) subscription.unsubscribe();
        end();
      };
      const subscriptions = [
        this.#actor.on('connection.ready', () => settle(() => resolve(this.#client!))),
        this.#actor.on('connection.failed', ({ error }) => settle(() => reject(error))),
        this.#actor.subscribe({
          complete: () => settle(() => reject(new ExecutorError('closed', 'the executor was closed'))),
        }),
      ];
      this.#actor.send({ type: 'connect.wanted' });
    });
  }

  #lost(client: Client | undefined): void {
    if (!client || client !== this.#client) return;
    this.#actor.send({ type: 'lost' });
    this.#observer.lost(new ExecutorError('closed', 'the connection was lost'));
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.setTimeout(resolve, ms));
  }

  #deadline(timeoutMs: number, what: string, signal: AbortSignal): { signal: AbortSignal; end(): void } {
    const { clock } = this.#options;
    const controller = new AbortController();
    const onAbort = (): void => controller.abort(signal.reason);
    const timer = clock.setTimeout(
      () => controller.abort(new ExecutorError('timeout', `${what} did not end within ${timeoutMs} ms`)),
      timeoutMs,
    );
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    return {
      signal: controller.signal,
      end: () => {
        clock.clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      },
    };
  }
}

/** The promise, or the abort, whichever is first. Nothing was sent yet. */
function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortError(signal, false));
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
