import { Slots } from '../../async/semaphore.js';
import { abortError } from '../abortable.js';
import { DriverError } from '../driver.js';
import { redactText } from '../wrappers/redact.js';
import { Program, type ProgramOptions } from './program.js';
import { checkResult, protocolVersion, results, type Hello } from './protocol.js';

export interface ProgramPoolOptions extends ProgramOptions {
  /** How many may run at once. */
  processes: number;
  /** What each process is told first. */
  greeting: Readonly<Record<string, unknown>>;
  /** What no line that is passed on may show. */
  secrets: readonly string[];
}

const greetingTimeoutMs = 30_000;

/**
 * The processes of one driver program. They are started when there is work, kept for the next, and replaced when they
 * end, do not keep to the protocol, or work at something that was given up.
 */
export class ProgramPool {
  readonly #options: ProgramPoolOptions;
  readonly #slots: Slots;
  readonly #idle: Program[] = [];
  readonly #all = new Set<Program>();
  /** Of the requests under way. */
  readonly #secrets = new Map<symbol, readonly string[]>();
  #isStopped = false;

  constructor(options: ProgramPoolOptions) {
    const secrets = (): string[] => [...options.secrets, ...[...this.#secrets.values()].flat()];
    this.#options = {
      ...options,
      onComplaint: (line) => options.onComplaint(redactText(line, secrets())),
    };
    this.#slots = new Slots(options.processes);
  }

  /** Starts the first process, and tells how it introduced itself. Rejects with {@link DriverError}. */
  async greet(): Promise<Hello> {
    const signal = new AbortController().signal;
    await this.#slots.take(signal);
    try {
      const { program, hello } = await this.#start();
      this.#idle.push(program);
      return hello;
    } finally {
      this.#slots.release();
    }
  }

  /** Rejects with {@link DriverError}. The process of a request that is given up is ended. */
  async request(
    method: string,
    params: unknown,
    signal: AbortSignal,
    secrets: readonly string[] = [],
  ): Promise<unknown> {
    await this.#slots.take(signal).catch(() => Promise.reject(abortError(signal, method)));
    const key = Symbol(method);
    this.#secrets.set(key, secrets);
    try {
      const program = this.#takeIdle() ?? (await this.#start()).program;
      const giveUp = (): void => void this.#end(program);
      if (signal.aborted) giveUp();
      signal.addEventListener('abort', giveUp, { once: true });
      try {
        return await program.request(method, params);
      } finally {
        signal.removeEventListener('abort', giveUp);
        if (program.isAlive) this.#idle.push(program);
        else this.#all.delete(program);
      }
    } finally {
      this.#secrets.delete(key);
      this.#slots.release();
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const all = [...this.#all];
    await Promise.all(all.map((program) => (this.#idle.includes(program) ? program.stop() : program.kill())));
    this.#all.clear();
  }

  #takeIdle(): Program | undefined {
    for (let program = this.#idle.pop(); program; program = this.#idle.pop()) {
      if (program.isAlive) return program;
      this.#all.delete(program);
    }
    return undefined;
  }

  async #start(): Promise<{ program: Program; hello: Hello }> {
    if (this.#isStopped) throw new DriverError('unavailable', 'the driver was stopped');
    const { clock, greeting } = this.#options;
    const program = new Program(this.#options);
    this.#all.add(program);
    const timer = clock.setTimeout(() => void this.#end(program), greetingTimeoutMs);
    try {
      const hello = checkResult(results.hello, 'hello', await program.request('hello', greeting));
      if (hello.protocol === protocolVersion) return { program, hello };
      const text = `the driver program speaks version ${hello.protocol} of the protocol, not ${protocolVersion}`;
      throw new DriverError('invalid', text, { remedy: 'use a program for this version of Longshore' });
    } catch (error) {
      void this.#end(program);
      throw error;
    } finally {
      clock.clearTimeout(timer);
    }
  }

  async #end(program: Program): Promise<void> {
    await program.kill();
    this.#all.delete(program);
  }
}
