import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import type { constants } from 'node:os';
import type { Clock } from '../../domain/clock.js';
import { DriverError } from '../driver.js';
import { misspoken, readReply } from './protocol.js';

export interface ProgramOptions {
  command: readonly string[];
  /** All of its environment. */
  env: NodeJS.ProcessEnv;
  /** Folder that it runs in. */
  folder: string;
  clock: Clock;
  /** A line it wrote on its standard error. */
  onComplaint(line: string): void;
}

interface Pending {
  id: number;
  resolve(result: unknown): void;
  reject(error: DriverError): void;
}

const longestLineBytes = 64 * 1024 * 1024;
const longestComplaint = 1_000;
const stopGraceMs = 2_000;
const killGraceMs = 5_000;

/** One process of a driver program: requests as lines on its standard input, one at a time, replies as lines from it. */
export class Program {
  readonly #options: ProgramOptions;
  /** Without pipes where there were too few descriptors for them. */
  readonly #child: Partial<Pick<ChildProcess, 'stdin' | 'stdout' | 'stderr'>> & ChildProcess;
  readonly #ended: Promise<void>;
  #isAlive = true;
  #requests = 0;
  #pending: Pending | undefined;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #lastComplaint = '';

  constructor(options: ProgramOptions) {
    this.#options = options;
    const [program, ...args] = options.command;
    // A group of its own, so that what it started ends with it.
    this.#child = start(program!, args, { env: options.env, cwd: options.folder, detached: true });
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', (cause) => this.#end(startError(program!, cause), resolve));
      this.#child.on('close', (code, signal) => this.#end(this.#endError(code, signal), resolve));
    });
    this.#child.stdin?.on('error', () => {});
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#readComplaints();
  }

  /** False once it ended or was told to. */
  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Never call it while another request is under way. Rejects with {@link DriverError}. */
  request(method: string, params: unknown): Promise<unknown> {
    if (!this.#isAlive) return Promise.reject(new DriverError('unavailable', 'the driver program has ended'));
    const id = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#pending = { id, resolve, reject };
      this.#child.stdin?.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  }

  /** Ends it and all that it started: at once asked to, then made to. */
  async kill(): Promise<void> {
    this.#isAlive = false;
    this.#signal('SIGTERM');
    await this.#endedWithin(killGraceMs);
    this.#signal('SIGKILL');
    await this.#ended;
  }

  /** Its input ends, so that it can leave by itself; after a while it is killed. */
  async stop(): Promise<void> {
    this.#isAlive = false;
    this.#child.stdin?.end();
    if (!(await this.#endedWithin(stopGraceMs))) await this.kill();
  }

  #read(chunk: Buffer): void {
    let rest = chunk;
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      const line = Buffer.concat([...this.#line, rest.subarray(0, end)]).toString('utf8');
      rest = rest.subarray(end + 1);
      this.#line = [];
      this.#lineBytes = 0;
      this.#answer(line);
    }
    this.#line.push(rest);
    this.#lineBytes += rest.length;
    if (this.#lineBytes > longestLineBytes)
      this.#breakOff(misspoken(`a line is longer than ${longestLineBytes} bytes`));
  }

  #answer(line: string): void {
    const pending = this.#pending;
    if (!pending) {
      if (line.trim() !== '') this.#breakOff(misspoken(`"${line.slice(0, 200)}" answers nothing`));
      return;
    }
    try {
      const reply = readReply(line, pending.id, this.#options.clock.now());
      this.#pending = undefined;
      if ('error' in reply) pending.reject(reply.error);
      else pending.resolve(reply.result);
    } catch (error) {
      this.#breakOff(error as DriverError);
    }
  }

  /** After a line that is no reply nobody knows what the next one belongs to. */
  #breakOff(error: DriverError): void {
    this.#pending?.reject(error);
    this.#pending = undefined;
    this.#line = [];
    void this.kill();
  }

  #readComplaints(): void {
    let rest = '';
    this.#child.stderr?.setEncoding('utf8');
    this.#child.stderr?.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = (lines.pop() ?? '').slice(0, longestComplaint);
      for (const line of lines.filter((each) => each.trim() !== '')) {
        this.#lastComplaint = line.slice(0, longestComplaint);
        this.#options.onComplaint(this.#lastComplaint);
      }
    });
  }

  #end(error: DriverError, resolve: () => void): void {
    this.#isAlive = false;
    this.#pending?.reject(error);
    this.#pending = undefined;
    resolve();
  }

  #endError(code: number | null, signal: string | null): DriverError {
    const how = signal === null ? `with status ${code}` : `by ${signal}`;
    const said = this.#lastComplaint === '' ? '' : `: ${this.#lastComplaint}`;
    return new DriverError('unavailable', `the driver program ended ${how}${said}`);
  }

  #endedWithin(ms: number): Promise<boolean> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const timer = clock.setTimeout(() => resolve(false), ms);
      void this.#ended.then(() => {
        clock.clearTimeout(timer);
        resolve(true);
      });
    });
  }

  #signal(signal: keyof typeof constants.signals): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // All of it ended.
    }
  }
}

/** What is wrong with the words of the command is thrown at once, all else comes as an event. */
function start(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  try {
    return spawn(program, args, options);
  } catch (cause) {
    throw startError(program, cause as Error);
  }
}

/** Of this host and this moment, not of the program. */
const shortages: Readonly<Record<string, string>> = {
  EMFILE: 'raise the limit of open files of the daemon (LimitNOFILE, ulimit -n)',
  ENFILE: 'raise the limit of open files of the host (fs.file-max)',
  EAGAIN: 'raise the limit of processes (TasksMax, ulimit -u)',
  ENOMEM: 'give the host more memory',
};

function startError(program: string, cause: Error): DriverError {
  const { code = cause.message } = cause as NodeJS.ErrnoException;
  const remedy = shortages[code];
  if (remedy !== undefined) {
    const text = `the driver program ${program} cannot be started now (${code})`;
    return new DriverError('unavailable', text, { cause, remedy });
  }
  return new DriverError('invalid', `driverParameters.command: ${program} cannot be started (${code})`, {
    cause,
    remedy: 'give the path of an executable file',
  });
}
