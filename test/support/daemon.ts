import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endProcessesOf } from '../../src/drivers/loopback/processes.js';

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** The real daemon, as a process of its own on the loopback driver, in a folder of its own. */
export class DaemonProcess {
  readonly folder: string;
  readonly token = 'test-token';
  #child: ChildProcess | undefined;
  readonly #others = new Set<ChildProcess>();
  #log = '';

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(pool = ''): Promise<DaemonProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'longshore-daemon-'));
    const config = `clusterId: wired
managementToken: test-token
stateDir: ./state
driver: loopback
driverParameters: { maxInstances: 3 }
instanceTypes: { small: { vcpus: 2, ram: 1GiB, includedScratch: 1GiB, price: 0.1 } }
pool: { bootProbeCommand: 'true', maxInstances: 3, maxConcurrentCreates: 3, syncInterval: 2s, probeInterval: 1s, ${pool} }
runner: { deployDirectory: ${join(folder, 'runner')} }
scheduler: { reserveExtraRam: 0, localKeepBlobBuffersPerVcpu: 0, staleLockTimeout: 5s }
api: { listen: '127.0.0.1:0' }
`;
    await writeFile(join(folder, 'longshore.yaml'), config);
    return new DaemonProcess(folder);
  }

  get log(): string {
    return this.#log;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  get url(): string {
    return readFileSync(this.path('state', 'api-address'), 'utf8').trim();
  }

  /** How many descriptors it has now. */
  get openDescriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** From now on it gets no further one beyond that; those it has stay. */
  limitDescriptors(limit: number): void {
    execFileSync('prlimit', ['--pid', String(this.pid), `--nofile=${limit}:`]);
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  /** Starts it and waits until it answers, or until it ended. Returns the exit code in that case. */
  async start(): Promise<number | undefined> {
    await rm(this.path('state', 'api-address'), { force: true });
    const child = this.spawn();
    this.#child = child;
    const deadlineAt = Date.now() + 60_000;
    const address = this.path('state', 'api-address');
    // It is there before it is written.
    while (!existsSync(address) || readFileSync(address, 'utf8') === '') {
      if (child.exitCode !== null) return child.exitCode;
      if (Date.now() > deadlineAt) throw new Error(`the daemon did not start: ${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return undefined;
  }

  /** Another one on the same folder; its exit code and what it said. */
  async startAnother(): Promise<{ code: number | null; said: string }> {
    const child = this.spawn();
    this.#others.add(child);
    let said = '';
    child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    return new Promise((resolve) =>
      child.on('close', (code) => {
        this.#others.delete(child);
        resolve({ code, said });
      }),
    );
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child!;
    const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
    child.kill(signal);
    return ended;
  }

  async call<T = Record<string, unknown>>(
    path: string,
    body?: unknown,
    method = body === undefined ? 'GET' : 'POST',
  ): Promise<T> {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    return JSON.parse(text === '' ? '{}' : text) as T;
  }

  async remove(): Promise<void> {
    for (const other of this.#others) {
      const ended = new Promise((resolve) => other.on('close', resolve));
      other.kill('SIGKILL');
      await ended;
    }
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await this.end('SIGKILL');
    await endProcessesOf(this.folder);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  private spawn(): ChildProcess {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', program, '--config', this.path('longshore.yaml'), 'serve'],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    child.stderr.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
    return child;
  }
}
