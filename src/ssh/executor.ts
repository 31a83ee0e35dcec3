import type { Readable, Writable } from 'node:stream';
import type { CommandShell } from './frame.js';

/** Where and as whom to log in. */
export interface ExecutorTarget {
  /** Host or IP, with `:port` where it is not the default; `''` while unknown. */
  address: string;
  remoteUser: string;
  /** Type of the pinned host key, which the host is asked for first; not given: none is pinned. */
  hostKeyType?: string;
}

export interface CommandResult {
  stdout: string;
  stderr: string;
  /** Another one than before: the host was restarted. Absent where the host tells none. */
  bootId?: string;
}

export interface RunOptions {
  stdin?: string | Uint8Array;
  env?: Readonly<Record<string, string>>;
  /** From the call to the exit status, connecting included. */
  timeoutMs: number;
  /** Output beyond it ends the command with code `too-much-output`. Default 16 MiB. */
  maxOutputBytes?: number;
  /** Who reads the command. Default: /bin/sh, whatever the login shell is. */
  shell?: CommandShell;
  /** Asked right before the command is sent, and before its input is: what it throws, the command ends with, unsent. */
  permit?(): void;
  signal: AbortSignal;
}

/** A command that goes on: its stdout as it comes, until it ends or `close` is called. Read either lines or text. */
export interface CommandStream {
  /** Complete lines without their newline. Ends with the command; throws `ExecutorError` when it did not exit with 0. */
  readonly lines: AsyncIterable<string>;
  /**
   * The same as it is, in pieces of any size: for much of it. Who does not read holds the command up. Absent where there
   * is no real connection.
   */
  readonly text?: AsyncIterable<string>;
  close(): void;
}

/** What the instance may send; beyond it the stream ends with `too-much-output`. */
export interface StreamLimits {
  lineBytes: number;
  /** In the long run. */
  bytesPerSecond: number;
  /** At once. */
  burstBytes: number;
}

export interface OpenOptions {
  signal: AbortSignal;
  /** Not given: lines are cut at 64 KiB, and who reads decides how fast it comes. */
  limits?: StreamLimits;
  /**
   * `user`: over the connection of the users, whose sessions are bounded: rejects with `session-limit` when none is free
   * in time. Default `daemon`: beside the commands; ends with `session-limit` where the server allows one session only.
   */
  traffic?: 'daemon' | 'user';
}

/** The terminal a session is shown on. */
export interface Terminal {
  /** As in the environment variable `TERM`. */
  name: string;
  columns: number;
  rows: number;
}

/** A person's session on the instance; ends when the remote side ends it, the connection is lost, or by `close`. */
export interface RemoteSession {
  /** Fingerprint of the host key the connection was verified with: `SHA256:…`. */
  hostKey: string;
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  resize(columns: number, rows: number): void;
  /** Both unknown when the connection was lost. Never rejects. */
  ended: Promise<{ exitCode: number | undefined; killedBy: string }>;
  close(): void;
}

export interface SessionOptions {
  /** None: the login shell. */
  command: string | undefined;
  /** None: bytes go through as they are. */
  terminal: Terminal | undefined;
  /** Gives up the opening; does nothing to an open session. */
  signal: AbortSignal;
}

/**
 * Runs commands, written for /bin/sh, on one instance over one multiplexed SSH connection (X-1..X-12), made at the first command.
 * No command is sent before the host was verified. A command is never repeated.
 */
export interface Executor {
  /** Resolves on exit status 0 only; rejects with {@link ExecutorError} otherwise. */
  run(command: string, options: RunOptions): Promise<CommandResult>;
  open(command: string, options: OpenOptions): Promise<CommandStream>;
  /** A session of a user, over the connection of the users. Absent where there is no real connection. */
  openSession?(options: SessionOptions): Promise<RemoteSession>;
  /** Takes effect at the next connection. */
  setTarget(target: ExecutorTarget): void;
  /** Final: later commands are refused with `closed`. */
  close(): Promise<void>;
}

/** What an executor tells while it connects. */
export interface ExecutorObserver {
  /** The handshake is done; the host is not verified yet. */
  connected(): void;
  verified(): void;
  lost(error: ExecutorError): void;
}

/**
 * Decides whether a connection with this host key is the instance that was asked for: resolves to accept, rejects
 * with the reason. `run` works on that very connection, before anything else may.
 */
export type HostVerifier = (
  key: Uint8Array,
  run: (command: string) => Promise<CommandResult>,
  signal: AbortSignal,
) => Promise<void>;

/** Makes the executor of one instance; the wiring passes key, port and limits beforehand. */
export type ExecutorFactory = (
  target: ExecutorTarget,
  verifyHost: HostVerifier,
  observer: ExecutorObserver,
) => Executor;

export const executorErrorCodes = [
  'no-address',
  'refused',
  'timeout',
  'auth',
  'host-key',
  'protocol',
  'closed',
  'session-limit',
  'exit',
  'no-shell',
  'too-much-output',
  'aborted',
] as const;
/**
 * `exit`: the command ended with another status than 0. `closed`: the connection or the shell went away, so the outcome
 * is unknown. `no-shell`: the host answered something else instead of running the command. `session-limit`: the server
 * opens no further session.
 * `protocol`: the peer does not speak SSH as it should. The others say what they are called.
 */
export type ExecutorErrorCode = (typeof executorErrorCodes)[number];

export interface ExecutorErrorOptions {
  cause?: unknown;
  exitCode?: number;
  stdout?: string;
  stderr?: string;
  bootId?: string;
  /** Default: as the code says. */
  sent?: boolean;
  breach?: OutputBreach;
}

/** Which limit of what an instance may print was broken. */
export type OutputBreach = 'line' | 'rate' | 'output';

/** Codes of failures before a command was sent; with the others it can have run. */
const unsentCodes: ReadonlySet<ExecutorErrorCode> = new Set([
  'no-address',
  'refused',
  'auth',
  'host-key',
  'protocol',
  'session-limit',
  'no-shell',
]);

/** The one error of the executor contract; switch on `code`. */
export class ExecutorError extends Error {
  readonly code: ExecutorErrorCode;
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Of the host, where the command began. */
  readonly bootId: string | undefined;
  /** False: the command did not run. True: it ran, or can have run. */
  readonly sent: boolean;
  /** Of `too-much-output`. */
  readonly breach: OutputBreach | undefined;

  constructor(code: ExecutorErrorCode, message: string, options: ExecutorErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ExecutorError';
    this.code = code;
    this.exitCode = options.exitCode;
    this.stdout = options.stdout ?? '';
    this.stderr = options.stderr ?? '';
    this.bootId = options.bootId;
    this.sent = options.sent ?? !unsentCodes.has(code);
    this.breach = options.breach ?? (code === 'too-much-output' ? 'output' : undefined);
  }
}

/** The same error, of a command that did not run. */
export function asUnsent(error: unknown): unknown {
  if (!(error instanceof ExecutorError) || !error.sent) return error;
  const { code, message, cause, exitCode, stdout, stderr, breach } = error;
  const facts = { ...(exitCode !== undefined && { exitCode }), ...(breach && { breach }) };
  return new ExecutorError(code, message, { cause, stdout, stderr, sent: false, ...facts });
}
