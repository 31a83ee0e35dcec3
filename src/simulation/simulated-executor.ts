import type { Clock } from '../domain/clock.js';
import type { MemoryHost } from '../drivers/simulated/memory-host.js';
import {
  ExecutorError,
  type CommandResult,
  type CommandStream,
  type Executor,
  type ExecutorFactory,
  type ExecutorObserver,
  type ExecutorTarget,
  type HostVerifier,
  type RunOptions,
} from '../ssh/executor.js';

export interface SimulatedExecutorOptions {
  host: MemoryHost;
  clock: Clock;
  /** From a command to its start on the machine. */
  latencyMs: number;
}

/** Executors without sockets, for machines in memory: same verification, errors and deadlines as over SSH. */
export function createSimulatedExecutorFactory(options: SimulatedExecutorOptions): ExecutorFactory {
  return (target, verifyHost, observer) => new SimulatedExecutor(target, verifyHost, observer, options);
}

class SimulatedExecutor implements Executor {
  readonly #options: SimulatedExecutorOptions;
  readonly #verifyHost: HostVerifier;
  readonly #observer: ExecutorObserver;
  readonly #closing = new AbortController();
  #target: ExecutorTarget;
  #verified: { address: string; done: Promise<void> } | undefined;

  constructor(
    target: ExecutorTarget,
    verifyHost: HostVerifier,
    observer: ExecutorObserver,
    options: SimulatedExecutorOptions,
  ) {
    this.#target = target;
    this.#verifyHost = verifyHost;
    this.#observer = observer;
    this.#options = options;
  }

  async run(command: string, { stdin, timeoutMs, signal }: RunOptions): Promise<CommandResult> {
    const { clock } = this.#options;
    let timer: unknown;
    const late = new Promise<never>((_resolve, reject) => {
      timer = clock.setTimeout(
        () => reject(new ExecutorError('timeout', `the command did not end within ${timeoutMs} ms`)),
        timeoutMs,
      );
    });
    try {
      return await Promise.race([this.#orEnded(signal, () => this.#run(command, stdin ?? '', signal)), late]);
    } finally {
      clock.clearTimeout(timer);
    }
  }

  async open(command: string, { signal }: { signal: AbortSignal }): Promise<CommandStream> {
    const vm = await this.#orEnded(signal, () => this.#machine(signal));
    const queue: string[] = [];
    let exitCode: number | undefined;
    let wake = (): void => {};
    let isClosed = false;
    const stop = vm.watch(command, {
      onLine: (line) => (queue.push(line), wake()),
      onEnd: (code) => ((exitCode = code), wake()),
    });
    const close = (): void => {
      isClosed = true;
      signal.removeEventListener('abort', close);
      this.#closing.signal.removeEventListener('abort', close);
      stop();
      wake();
    };
    signal.addEventListener('abort', close, { once: true });
    this.#closing.signal.addEventListener('abort', close, { once: true });
    async function* lines(): AsyncGenerator<string> {
      for (;;) {
        yield* queue.splice(0);
        if (queue.length > 0) continue;
        if (isClosed || exitCode === 0) return;
        if (exitCode !== undefined) {
          throw new ExecutorError('exit', `the command exited with status ${exitCode}`, { exitCode });
        }
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
    return { lines: lines(), close };
  }

  setTarget(target: ExecutorTarget): void {
    this.#target = target;
  }

  close(): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  async #run(command: string, stdin: string | Uint8Array, signal: AbortSignal): Promise<CommandResult> {
    const vm = await this.#machine(signal);
    const { exitCode, stdout, stderr } = await vm.interpret(command, stdin);
    if (exitCode === 0) return { stdout, stderr };
    throw new ExecutorError('exit', `the command exited with status ${exitCode}: ${stderr.trim()}`, {
      exitCode,
      stdout,
      stderr,
    });
  }

  async #machine(signal: AbortSignal) {
    const { host, clock, latencyMs } = this.#options;
    if (latencyMs > 0) await new Promise<void>((resolve) => void clock.setTimeout(resolve, latencyMs));
    const { address } = this.#target;
    if (address === '') throw new ExecutorError('no-address', 'instance has no address');
    const machine = host.at(address);
    if (!machine) throw new ExecutorError('refused', `nothing answers at ${address}`);
    if (this.#verified?.address !== address) {
      this.#observer.connected();
      const done = this.#verify(machine, signal);
      this.#verified = { address, done };
      done.catch(() => (this.#verified = undefined));
    }
    await this.#verified.done;
    return machine.vm;
  }

  async #verify(machine: NonNullable<ReturnType<MemoryHost['at']>>, signal: AbortSignal): Promise<void> {
    const run = async (command: string): Promise<CommandResult> => {
      const { exitCode, stdout, stderr } = await machine.vm.interpret(command, '');
      if (exitCode === 0) return { stdout, stderr };
      throw new ExecutorError('exit', `the command exited with status ${exitCode}`, { exitCode, stderr });
    };
    try {
      await this.#verifyHost(machine.hostKey, run, signal);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new ExecutorError('host-key', `the host was not accepted: ${text}`, { cause: error });
    }
    this.#observer.verified();
  }

  /** What the call resolves to, unless the caller or the executor ends first. */
  #orEnded<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const closing = this.#closing.signal;
      const onAbort = (): void => reject(new ExecutorError('aborted', 'the command was given up'));
      const onClose = (): void => reject(new ExecutorError('closed', 'the executor was closed'));
      if (closing.aborted) return onClose();
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      closing.addEventListener('abort', onClose, { once: true });
      call()
        .then(resolve, reject)
        .finally(() => {
          signal.removeEventListener('abort', onAbort);
          closing.removeEventListener('abort', onClose);
        });
    });
  }
}
