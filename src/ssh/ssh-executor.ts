import type { Client } from 'ssh2';
import { abortError, finishCommand, openChannel, type OpenCommand } from './command.js';
import { deadlineOf } from './deadline.js';
import {
  ExecutorError,
  type CommandResult,
  type CommandStream,
  type Executor,
  type ExecutorFactory,
  type ExecutorObserver,
  type ExecutorTarget,
  type HostVerifier,
  type OpenOptions,
  type RemoteSession,
  type RunOptions,
  type SessionOptions,
} from './executor.js';
import { FairSlots } from '../async/fair-slots.js';
import { frameCommand } from './frame.js';
import { streamLines } from './line-stream.js';
import { openSessionChannel, sessionOf } from './session.js';
import { Slots } from '../async/semaphore.js';
import { SshLink, type LinkOptions, type LinkShared } from './ssh-link.js';
import { UserSessions } from './user-sessions.js';

export interface SshExecutorOptions extends LinkOptions {
  /** How many may shake hands at once, over all executors of the factory. */
  maxHandshakes: number;
  /** Short commands at once on one connection; sshd allows 10 sessions, and frees them late. */
  maxChannels: number;
  /** Logs, shells and files at once on one instance, over a connection of their own. Default 8. */
  maxUserSessions?: number;
}

const defaultMaxOutputBytes = 16 * 1024 * 1024;
const defaultUserSessions = 8;
/** An instance has two connections. A server that does not shake hands holds up no other. */
const handshakeShare = { share: 2, patienceMs: 2_000, mostOverdue: 64 };

/** Executors over SSH that share the key and a bound on handshakes. */
export function createExecutorFactory(options: SshExecutorOptions): ExecutorFactory {
  const { clock, maxHandshakes } = options;
  const handshakes = new FairSlots({ clock, count: maxHandshakes, ...handshakeShare });
  return (target, verifyHost, observer) =>
    new SshExecutor(target, { verifyHost, observer, options, handshakes });
}

interface SshExecutorParts {
  verifyHost: HostVerifier;
  observer: ExecutorObserver;
  options: SshExecutorOptions;
  handshakes: FairSlots;
}

/**
 * Two connections: one for the daemon, one for users, so that no log that is followed takes a session from a probe. Where
 * the server allows one session only, streams of the daemon give way to its commands.
 */
class SshExecutor implements Executor {
  readonly #options: SshExecutorOptions;
  readonly #trust: LinkShared['trust'] = { key: undefined };
  readonly #link: SshLink;
  readonly #users: UserSessions;
  readonly #channels: Slots;
  /** Streams of the daemon, and what ends them. */
  readonly #streams = new Set<(error: ExecutorError) => void>();
  #target: ExecutorTarget;

  constructor(target: ExecutorTarget, { verifyHost, observer, options, handshakes }: SshExecutorParts) {
    this.#target = target;
    this.#options = options;
    this.#channels = new Slots(options.maxChannels);
    const shared = {
      options,
      handshakes: handshakes.of(this),
      verifyHost,
      target: () => this.#target,
      trust: this.#trust,
    };
    this.#link = new SshLink(shared, {
      connected: () => {
        this.#channels.resize(options.maxChannels);
        observer.connected();
      },
      verified: () => observer.verified(),
      lost: (error) => observer.lost(error),
    });
    const link = new SshLink(shared, {
      connected: () => {},
      verified: () => observer.verified(),
      lost: () => {},
    });
    this.#users = new UserSessions(link, options.clock, options.maxUserSessions ?? defaultUserSessions);
  }

  async run(command: string, options: RunOptions): Promise<CommandResult> {
    const deadline = deadlineOf(this.#options.clock, options.timeoutMs, 'the command', options.signal);
    const { signal } = deadline;
    try {
      await this.#channels.take(signal).catch(() => Promise.reject(this.#unsent(signal)));
      try {
        const { env, stdin, permit, shell, maxOutputBytes = defaultMaxOutputBytes } = options;
        const { wire, marker } = frameCommand(command, shell);
        const opening = (client: Client): Promise<OpenCommand> => {
          permit?.();
          return openChannel(client, wire, env);
        };
        const channel = await this.#link.open(opening, signal, () => this.#makeRoom());
        return await finishCommand(channel, { marker, stdin, maxOutputBytes, permit }, signal);
      } finally {
        this.#channels.release();
      }
    } finally {
      deadline.end();
    }
  }

  async open(command: string, { signal, limits, traffic = 'daemon' }: OpenOptions): Promise<CommandStream> {
    const { wire, marker } = frameCommand(command, 'stream');
    const opening = (client: Client): Promise<OpenCommand> => openChannel(client, wire, undefined);
    const isOwn = traffic === 'daemon';
    if (isOwn) this.#assertRoomForStream();
    const channel = isOwn
      ? await this.#link.open(opening, signal, () => this.#assertRoomForStream())
      : await this.#users.open(opening, signal);
    const now = (): number => this.#options.clock.now();
    const stream = streamLines(channel, marker, limits && { limits, now });
    if (isOwn) {
      const giveWay = (error: ExecutorError): void => stream.close(error);
      this.#streams.add(giveWay);
      void channel.closed.then(() => this.#streams.delete(giveWay));
    }
    if (signal.aborted) stream.close();
    else signal.addEventListener('abort', () => stream.close(), { once: true });
    return stream;
  }

  async openSession(options: SessionOptions): Promise<RemoteSession> {
    const opening = (client: Client): Promise<OpenCommand> => openSessionChannel(client, options);
    const opened = await this.#users.open(opening, options.signal);
    return sessionOf(opened, this.#trust.key ?? Buffer.alloc(0));
  }

  setTarget(target: ExecutorTarget): void {
    this.#target = target;
  }

  close(): Promise<void> {
    this.#link.close();
    this.#users.close();
    return Promise.resolve();
  }

  /** A command got no turn. */
  #unsent(signal: AbortSignal): ExecutorError {
    const error = abortError(signal, false);
    const { sessions } = this.#link;
    if (error.code !== 'timeout' || !Number.isFinite(sessions.limit)) return error;
    return new ExecutorError('session-limit', `no session in time: ${sessions.describe()}`, { cause: error });
  }

  /** The server refuses for good. One session is left to a stream where it allows more than one. */
  #makeRoom(): void {
    const { limit } = this.#link.sessions;
    this.#channels.resize(Math.min(this.#options.maxChannels, Math.max(1, limit - 1)));
    if (limit > this.#streams.size) return;
    const error = this.#noRoomForStream();
    for (const giveWay of [...this.#streams]) giveWay(error);
  }

  #assertRoomForStream(): void {
    if (this.#link.sessions.limit < this.#streams.size + 2) throw this.#noRoomForStream();
  }

  #noRoomForStream(): ExecutorError {
    const text = `${this.#link.sessions.describe()}: commands take precedence over what is followed`;
    return new ExecutorError('session-limit', text);
  }
}
