import type { Clock } from '../../src/domain/clock.js';
import {
  asUnsent,
  ExecutorError,
  type CommandResult,
  type CommandStream,
  type Executor,
  type ExecutorFactory,
  type ExecutorObserver,
  type ExecutorTarget,
  type HostVerifier,
  type RunOptions,
} from '../../src/ssh/executor.js';
import { ScriptedHost, type Call } from './scripted-host.js';

/** The pretended machines, by address. */
export class ScriptedNetwork {
  /** All that were made, closed ones included. */
  readonly executors: ScriptedExecutor[] = [];
  readonly clock: Clock;
  readonly #hosts = new Map<string, ScriptedHost>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The machine at that address; made when asked for the first time. Before that, connections are refused. */
  host(address: string): ScriptedHost {
    const host = this.#hosts.get(address) ?? new ScriptedHost(this.clock);
    this.#hosts.set(address, host);
    return host;
  }

  /** From now on nobody answers at that address. */
  unplug(address: string): void {
    this.#hosts.delete(address);
    for (const executor of this.executors) executor.loseConnection(address);
  }

  /** Rejects as a dial would. */
  reach(address: string): ScriptedHost {
    if (address === '') throw new ExecutorError('no-address', 'instance has no address');
    const host = this.#hosts.get(address);
    if (!host) throw new ExecutorError('refused', `nobody answers at ${address}`);
    return host;
  }

  readonly factory: ExecutorFactory = (target, verifyHost, observer) => {
    const executor = new ScriptedExecutor(this, target, verifyHost, observer);
    this.executors.push(executor);
    return executor;
  };
}

/**
 * The executor contract over {@link ScriptedHost}: connects with the first command, verifies a host key once, keeps
 * deadlines on the clock, minds signals and limits of output, and never repeats a command.
 */
export class ScriptedExecutor implements Executor {
  readonly targets: ExecutorTarget[];
  isClosed = false;
  readonly #network: ScriptedNetwork;
  readonly #verifyHost: HostVerifier;
  readonly #observer: ExecutorObserver;
  readonly #ended = new Set<(error: ExecutorError) => void>();
  #connection: { address: string; ready: Promise<ScriptedHost> } | undefined;
  #verifiedKey = '';

  constructor(
    network: ScriptedNetwork,
    target: ExecutorTarget,
    verifyHost: HostVerifier,
    observer: ExecutorObserver,
  ) {
    this.#network = network;
    this.targets = [target];
    this.#verifyHost = verifyHost;
    this.#observer = observer;
  }

  get target(): ExecutorTarget {
    return this.targets.at(-1)!;
  }

  async run(command: string, options: RunOptions): Promise<CommandResult> {
    const { clock } = this.#network;
    const call = this.#call(command, options);
    const limit = options.maxOutputBytes ?? 2 ** 24;
    try {
      const result = await this.#bounded(options, async () => (await this.#connected()).perform(call));
      if (result.stdout.length > limit || result.stderr.length > limit)
        throw new ExecutorError('too-much-output', `the command printed more than ${limit} bytes`);
      return result;
    } catch (error) {
      call.failure = (error as ExecutorError).code;
      throw error;
    } finally {
      call.endedAt = clock.now();
    }
  }

  async open(command: string, { signal }: { signal: AbortSignal }): Promise<CommandStream> {
    const host = await this.#bounded({ signal }, () => this.#connect());
    const channel = host.channel(this.#call(command, {}));
    const close = (): void => channel.close();
    signal.addEventListener('abort', close, { once: true });
    if (signal.aborted) close();
    this.#ended.add((error) => channel.end(error));
    return { lines: channel.lines(), close };
  }

  setTarget(target: ExecutorTarget): void {
    this.targets.push(target);
  }

  close(): Promise<void> {
    this.isClosed = true;
    this.#endAll('the executor was closed');
    return Promise.resolve();
  }

  /** The line breaks: what is under way ends with `closed`; the next command connects anew. */
  loseConnection(address = this.#connection?.address): void {
    if (!this.#connection || this.#connection.address !== address) return;
    this.#endAll('the connection was lost');
    this.#observer.lost(new ExecutorError('closed', 'the connection was lost'));
  }

  #endAll(why: string): void {
    this.#connection = undefined;
    for (const end of this.#ended) end(new ExecutorError('closed', why));
    this.#ended.clear();
  }

  /** A connection for a command: without one, nothing of the command has an effect. */
  async #connected(): Promise<ScriptedHost> {
    try {
      return await this.#connect();
    } catch (error) {
      throw asUnsent(error);
    }
  }

  #connect(): Promise<ScriptedHost> {
    if (this.isClosed) throw new ExecutorError('closed', 'the executor was closed');
    if (this.#connection) return this.#connection.ready;
    const connection = { address: this.target.address, ready: this.#dial(this.target.address) };
    this.#connection = connection;
    connection.ready.catch(() => {
      if (this.#connection === connection) this.#connection = undefined;
    });
    return connection.ready;
  }

  async #dial(address: string): Promise<ScriptedHost> {
    await Promise.resolve();
    const host = this.#network.reach(address);
    this.#observer.connected();
    if (this.#verifiedKey === host.hostKey) return host;
    const { hostKey } = host;
    const run = (command: string): Promise<CommandResult> => host.perform(this.#call(command, {}));
    try {
      await this.#verifyHost(Buffer.from(hostKey), run, new AbortController().signal);
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new ExecutorError('host-key', `the host was not accepted: ${text}`, { cause });
    }
    this.#verifiedKey = hostKey;
    this.#observer.verified();
    return host;
  }

  #call(command: string, options: Partial<RunOptions>): Call {
    const { stdin = '', env = {}, timeoutMs } = options;
    const text = typeof stdin === 'string' ? stdin : Buffer.from(stdin).toString('utf8');
    const at = this.#network.clock.now();
    return { command, stdin: text, env, timeoutMs, at, endedAt: undefined, failure: undefined };
  }

  /** The work, its deadline, the signal or the end of the connection, whichever is first. */
  #bounded<T>(
    { timeoutMs, signal }: { timeoutMs?: number; signal: AbortSignal },
    work: () => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#network;
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => settle(() => reject(error));
      const onAbort = (): void => fail(new ExecutorError('aborted', 'the command was given up'));
      const onTime = (): void => fail(new ExecutorError('timeout', `it did not end within ${timeoutMs} ms`));
      const timer = timeoutMs === undefined ? undefined : clock.setTimeout(onTime, timeoutMs);
      const settle = (finish: () => void): void => {
        clock.clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.#ended.delete(fail);
        finish();
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      this.#ended.add(fail);
      void (async () => work())().then((value) => settle(() => resolve(value)), fail);
    });
  }
}
