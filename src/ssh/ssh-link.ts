import { createActor, type ActorRefFrom } from 'xstate';
import type { Client } from 'ssh2';
import type { Clock } from '../domain/clock.js';
import { instanceLimits } from '../domain/instance-limits.js';
import { connectionMachine, type ConnectionPort } from '../machines/connection.js';
import { parseAddress } from './address.js';
import { abortError, finishCommand, openChannel, type OpenCommand } from './command.js';
import { connect, hangUp } from './connect.js';
import { deadlineOf } from './deadline.js';
import { ExecutorError, type CommandResult, type ExecutorTarget, type HostVerifier } from './executor.js';
import { frameCommand } from './frame.js';
import { SessionBudget } from './session-budget.js';
import type { Turns } from '../async/semaphore.js';

export interface LinkOptions {
  privateKey: string;
  /** Port number or service name for addresses that name none. */
  defaultPort: string;
  /** For TCP, handshake and login together; and again for the verification of the host. */
  connectTimeoutMs: number;
  keepaliveIntervalMs: number;
  clock: Clock;
}

/** What the connections to one instance have in common. */
export interface LinkShared {
  options: LinkOptions;
  target(): ExecutorTarget;
  handshakes: Turns;
  verifyHost: HostVerifier;
  /** The key that was verified last: the same key is not verified again. */
  trust: { key: Buffer | undefined };
}

export interface LinkObserver {
  connected(): void;
  verified(): void;
  lost(error: ExecutorError): void;
}

const sessionRetryMs = 50;
const { secret: secretBytes } = instanceLimits.outputBytes;

/** One SSH connection to an instance, made when a session needs it (X-1, X-4..X-11). */
export class SshLink implements ConnectionPort {
  readonly #shared: LinkShared;
  readonly #observer: LinkObserver;
  readonly #actor: ActorRefFrom<typeof connectionMachine>;
  #budget = new SessionBudget();
  #client: Client | undefined;
  #hostKey: Buffer | undefined;

  constructor(shared: LinkShared, observer: LinkObserver) {
    this.#shared = shared;
    this.#observer = observer;
    this.#actor = createActor(connectionMachine, {
      clock: shared.options.clock,
      input: { port: this, firstBackOffMs: 100, longestBackOffMs: 5_000 },
    });
    this.#actor.start();
  }

  /** Of the present connection. */
  get sessions(): Readonly<SessionBudget> {
    return this.#budget;
  }

  /** Hangs up; the next session connects anew. */
  disconnect(): void {
    this.#actor.send({ type: 'lost' });
  }

  /** Final. */
  close(): void {
    if (this.#actor.getSnapshot().status === 'active') this.#actor.send({ type: 'close' });
  }

  /**
   * A session on a verified connection, made anew once when the present one turns out dead. While the server refuses,
   * it is asked again, until the signal ends that; `refused` hears when the refusals are for good, and may throw.
   */
  async open(
    open: (client: Client) => Promise<OpenCommand>,
    signal: AbortSignal,
    refused: () => void = () => {},
  ): Promise<OpenCommand> {
    for (let reconnects = 0, refusal: ExecutorError | undefined; ;) {
      const client = await orAbort(this.#ready(), signal, refusal);
      const opening = open(client);
      try {
        return this.#count(await orAbort(opening, signal, undefined, true));
      } catch (error) {
        if (signal.aborted) {
          opening.then((late) => this.#count(late).channel.close()).catch(() => {});
          throw error;
        }
        const { code } = error as ExecutorError;
        if (code === 'session-limit') {
          if (this.#budget.refused()) refused();
          refusal = new ExecutorError('session-limit', `no session: ${this.#budget.describe()}`, {
            cause: error,
          });
          await orAbort(this.#pause(sessionRetryMs), signal, refusal);
        } else if (code !== 'closed' || reconnects++ > 0) throw error;
        else this.#lost(client);
      }
    }
  }

  // What the chart of the connection asks for.

  async openConnection(signal: AbortSignal): Promise<void> {
    const { options, handshakes } = this.#shared;
    const { clock, connectTimeoutMs, defaultPort, keepaliveIntervalMs, privateKey } = options;
    const target = this.#shared.target();
    const address = parseAddress(target.address, defaultPort);
    const turn = await handshakes.take(signal);
    try {
      const { client, hostKey } = await connect({
        ...address,
        username: target.remoteUser,
        privateKey,
        hostKeyType: target.hostKeyType,
        timeoutMs: connectTimeoutMs,
        keepaliveIntervalMs,
        clock,
        signal,
        onLost: (lost) => this.#lost(lost),
      });
      this.#client = client;
      this.#hostKey = hostKey;
      this.#budget = new SessionBudget();
    } finally {
      turn.release();
    }
    this.#observer.connected();
  }

  async verify(signal: AbortSignal): Promise<void> {
    const client = this.#client;
    const key = this.#hostKey;
    const { trust, options, verifyHost } = this.#shared;
    if (!client || !key)
      throw new ExecutorError('closed', 'the connection was lost before the host was verified');
    if (trust.key?.equals(key)) return;
    const deadline = deadlineOf(
      options.clock,
      options.connectTimeoutMs,
      'the verification of the host',
      signal,
    );
    const run = async (command: string): Promise<CommandResult> => {
      const { wire, marker } = frameCommand(command);
      const channel = await openChannel(client, wire, undefined);
      return finishCommand(channel, { marker, maxOutputBytes: secretBytes }, deadline.signal);
    };
    try {
      await orAbort(verifyHost(key, run, deadline.signal), deadline.signal);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new ExecutorError('host-key', `the host was not accepted: ${text}`, { cause: error });
    } finally {
      deadline.end();
    }
    trust.key = key;
    this.#observer.verified();
  }

  drop(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client) hangUp(client);
  }

  #count(session: OpenCommand): OpenCommand {
    const budget = this.#budget;
    budget.opened();
    void session.closed.then(() => budget.closed());
    return session;
  }

  #ready(): Promise<Client> {
    const state = this.#actor.getSnapshot().value;
    if (state === 'ready' && this.#client) return Promise.resolve(this.#client);
    if (state === 'ended') return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        for (const subscription of subscriptions) subscription.unsubscribe();
        end();
      };
      const subscriptions = [
        this.#actor.on('connection.ready', () => settle(() => resolve(this.#client!))),
        this.#actor.on('connection.failed', ({ error }) => settle(() => reject(error))),
        this.#actor.subscribe({ complete: () => settle(() => reject(closedError())) }),
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
    return new Promise((resolve) => void this.#shared.options.clock.setTimeout(resolve, ms));
  }
}

const closedError = (): ExecutorError =>
  new ExecutorError('closed', 'the executor was closed', { sent: false });

/** The promise, or the abort, whichever is first. `instead`: what an abort by time is told as. */
function orAbort<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  instead?: ExecutorError,
  sent = false,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      const error = abortError(signal, sent);
      reject(error.code === 'timeout' && instead ? instead : error);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
