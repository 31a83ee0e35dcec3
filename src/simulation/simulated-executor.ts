import type { Clock } from '../domain/clock.js';
import type { MemoryHost } from '../drivers/simulated/memory-host.js';
import type { StubAnswer, StubVm } from '../drivers/simulated/stub-vm.js';
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
} from '../ssh/executor.js';
import type { Lifeline } from './simulated-process.js';
import { LineQueue } from './line-stream.js';

/** What lies between the daemon and the machines. */
export interface SimulatedNetwork {
  /** `silent`: nothing comes back, not even a refusal. */
  state(address: string): 'up' | 'refused' | 'silent';
  /** This command is lost: the connection breaks before it reaches the machine. */
  losesCommand(address: string): boolean;
  /** The answer to this command is lost: the connection breaks after the command had its effect. */
  losesAnswer(address: string): boolean;
  /** Another machine answers there than the one that was made, and would take every command. */
  isImpostor(address: string): boolean;
  /** The answer to a command, as the machine tells it: it may lie. */
  told(address: string, command: string, answer: StubAnswer): StubAnswer;
  /** Asked when a channel that stays open is made; `broke` is called if the network takes it away. Returns its end. */
  attach(address: string, broke: () => void): () => void;
}

/** What ties an executor to its process. */
type Line = Pick<Lifeline, 'call' | 'deliver' | 'onCut'>;

export interface SimulatedExecutorOptions {
  host: MemoryHost;
  clock: Clock;
  /** From a command to its start on the machine. */
  latencyMs: number;
  /** Default: one without faults. */
  network?: SimulatedNetwork;
  /** The process that commands come from; default: one that never dies. */
  lifeline?: Line;
  /** Told of each command that reaches a machine. */
  onCommand?(instanceId: string, command: string): void;
  /** Told of each command whose answer arrives. */
  onAnswer?(instanceId: string, command: string): void;
  /** Receives each executor that connects, by the machine it reached last. */
  connected?: Map<string, SimulatedExecutor>;
}

/** Executors without sockets, for machines in memory: same verification, errors and deadlines as over SSH. */
export function createSimulatedExecutorFactory(options: SimulatedExecutorOptions): ExecutorFactory {
  return (target, verifyHost, observer) => new SimulatedExecutor(target, verifyHost, observer, options);
}

interface Machine {
  id: string;
  vm: Pick<StubVm, 'interpret' | 'watch'>;
  hostKey: Uint8Array;
}

/** Does as it is told, and is somebody else. */
const impostor: Machine = {
  id: 'impostor',
  hostKey: Buffer.from('host key of somebody else'),
  vm: {
    interpret: () => Promise.resolve({ exitCode: 0, stdout: 'f'.repeat(40), stderr: '' }),
    watch: () => () => {},
  },
};

const immortal: Line = { call: (effect) => effect(), deliver: (arrive) => arrive(), onCut: () => () => {} };
const faultless: SimulatedNetwork = {
  state: () => 'up',
  losesCommand: () => false,
  losesAnswer: () => false,
  isImpostor: () => false,
  told: (_address, _command, answer) => answer,
  attach: () => () => {},
};

export class SimulatedExecutor implements Executor {
  readonly #options: SimulatedExecutorOptions;
  readonly #network: SimulatedNetwork;
  readonly #lifeline: Line;
  readonly #verifyHost: HostVerifier;
  readonly #observer: ExecutorObserver;
  readonly #closers = new Set<() => void>();
  #isClosed = false;
  #target: ExecutorTarget;
  #verified: { address: string; id: string; done: Promise<void> | undefined } | undefined;

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
    this.#network = options.network ?? faultless;
    this.#lifeline = options.lifeline ?? immortal;
  }

  run(command: string, { stdin, timeoutMs, permit, signal }: RunOptions): Promise<CommandResult> {
    const { clock } = this.#options;
    let isSent = false;
    const sending = (): void => void (isSent = true);
    const begin = (reject: (error: ExecutorError) => void) => {
      const timer = clock.setTimeout(
        () => reject(new ExecutorError('timeout', `the command did not end within ${timeoutMs} ms`)),
        timeoutMs,
      );
      return {
        answer: this.#run(command, { stdin, permit, signal, sending }),
        release: () => clock.clearTimeout(timer),
      };
    };
    return this.#orEnded(signal, begin, () => isSent);
  }

  async open(command: string, { signal }: { signal: AbortSignal }): Promise<CommandStream> {
    const machine = await this.#orEnded(signal, () => ({ answer: this.#machine(signal), release: () => {} }));
    const { address } = this.#target;
    const queue = new LineQueue();
    const close = (): void => {
      signal.removeEventListener('abort', close);
      this.#closers.delete(close);
      forget();
      detach();
      stop();
      queue.close();
    };
    const forget = this.#lifeline.onCut(close);
    const detach = this.#network.attach(address, () =>
      this.#lifeline.deliver(() => {
        queue.fail(new ExecutorError('closed', 'the connection broke'));
        close();
      }),
    );
    const stop = machine.vm.watch(command, {
      onLine: (line) => {
        if (this.#network.state(address) === 'up') this.#lifeline.deliver(() => queue.push(line));
      },
      onEnd: (exitCode) =>
        this.#lifeline.deliver(() => {
          if (exitCode === 0) return queue.close();
          queue.fail(new ExecutorError('exit', `the command exited with status ${exitCode}`, { exitCode }));
        }),
    });
    signal.addEventListener('abort', close, { once: true });
    this.#closers.add(close);
    return { lines: queue.lines(), close };
  }

  /** Whether the next command reaches that machine without more ado. */
  isConnectedTo(instanceId: string): boolean {
    const { address } = this.#target;
    const { address: at, id, done } = this.#verified ?? {};
    return at === address && id === instanceId && done === undefined && !this.#isClosed;
  }

  setTarget(target: ExecutorTarget): void {
    this.#target = target;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const close of [...this.#closers]) close();
    return Promise.resolve();
  }

  async #run(
    command: string,
    {
      stdin = '',
      permit,
      signal,
      sending,
    }: Pick<RunOptions, 'stdin' | 'permit' | 'signal'> & { sending(): void },
  ): Promise<CommandResult> {
    const { id, vm } = await this.#machine(signal);
    const { address } = this.#target;
    permit?.();
    sending();
    if (this.#network.losesCommand(address)) {
      this.#verified = undefined;
      throw new ExecutorError('closed', 'the connection broke before the command arrived');
    }
    this.#options.onCommand?.(id, command);
    const answer = await this.#lifeline.call(() => vm.interpret(command, stdin));
    if (this.#network.losesAnswer(address)) {
      this.#verified = undefined;
      throw new ExecutorError('closed', 'the connection broke before the command ended');
    }
    if (this.#network.state(address) === 'silent') await never;
    this.#options.onAnswer?.(id, command);
    return resultOf(this.#network.told(address, command, answer));
  }

  /** The machine that answers, once it proved to be the right one. */
  async #machine(signal: AbortSignal): Promise<Machine> {
    const { host, clock, latencyMs } = this.#options;
    if (latencyMs > 0) await new Promise<void>((resolve) => void clock.setTimeout(resolve, latencyMs));
    const { address } = this.#target;
    if (address === '') throw new ExecutorError('no-address', 'instance has no address');
    const state = this.#network.state(address);
    if (state === 'silent') await never;
    const there = state === 'up' ? host.at(address) : undefined;
    if (!there) throw new ExecutorError('refused', `nothing answers at ${address}`);
    const machine = this.#network.isImpostor(address) ? impostor : there;
    if (this.#verified?.address !== address || this.#verified.id !== machine.id) this.#begin(machine, signal);
    if (this.#verified?.done) await this.#verified.done;
    return machine;
  }

  #begin(machine: Machine, signal: AbortSignal): void {
    this.#observer.connected();
    this.#options.connected?.set(machine.id, this);
    const { address } = this.#target;
    const connection = { address, id: machine.id, done: undefined as Promise<void> | undefined };
    this.#verified = connection;
    connection.done = this.#verify(machine, signal);
    connection.done.then(
      () => (connection.done = undefined),
      () => {
        if (this.#verified === connection) this.#verified = undefined;
      },
    );
  }

  async #verify(machine: Machine, signal: AbortSignal): Promise<void> {
    const run = async (command: string): Promise<CommandResult> =>
      resultOf(await machine.vm.interpret(command, ''));
    try {
      await this.#verifyHost(machine.hostKey, run, signal);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new ExecutorError('host-key', `the host was not accepted: ${text}`, { cause: error });
    }
    this.#observer.verified();
  }

  /** What the call resolves to, unless the caller, the deadline or the executor ends first. */
  #orEnded<T>(
    signal: AbortSignal,
    begin: (reject: (error: ExecutorError) => void) => { answer: Promise<T>; release(): void },
    isSent = (): boolean => true,
  ): Promise<T> {
    if (this.#isClosed) {
      return Promise.reject(new ExecutorError('closed', 'the executor was closed'));
    }
    if (signal.aborted) return Promise.reject(new ExecutorError('aborted', 'the command was given up'));
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        release();
        signal.removeEventListener('abort', onAbort);
        this.#closers.delete(onClose);
      };
      const fail = (error: unknown): void => {
        settle();
        reject(isSent() ? error : asUnsent(error));
      };
      const onAbort = (): void => fail(new ExecutorError('aborted', 'the command was given up'));
      const onClose = (): void => fail(new ExecutorError('closed', 'the executor was closed'));
      signal.addEventListener('abort', onAbort, { once: true });
      this.#closers.add(onClose);
      const { answer, release } = begin(fail);
      answer.then((value) => {
        settle();
        resolve(value);
      }, fail);
    });
  }
}

const never = new Promise<never>(() => {});

function resultOf({ exitCode, stdout, stderr }: StubAnswer): CommandResult {
  if (exitCode === 0) return { stdout, stderr };
  throw new ExecutorError('exit', `the command exited with status ${exitCode}: ${stderr.trim()}`, {
    exitCode,
    stdout,
    stderr,
  });
}
