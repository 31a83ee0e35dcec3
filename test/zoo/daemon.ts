import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from './until.js';

/** A container as the API shows it. */
export interface ContainerBody {
  uuid: string;
  name: string;
  state: string;
  attempts: number;
  exitCode: number | null;
  instance: string;
  error: string;
  startedAt: string | null;
  finishedAt: string | null;
  cost: number | null;
}

/** An instance as the API shows it. */
export interface InstanceBody {
  instance: string;
  state: string;
  idleBehavior: string;
  containers: string[];
  appearedAt: string | null;
}

export interface ContainerWish {
  name: string;
  command: readonly string[];
  env?: Record<string, string>;
  image?: string;
  attempts?: number;
}

const token = 'zoo-token-0123456789abcdef';
const startMs = 60_000;

/** The daemon as a process of its own that ends with this one, and its API. */
export class ZooDaemon {
  readonly folder: string;
  readonly #program: readonly string[];
  #child: ChildProcess | undefined;
  #said = '';

  /** `program`: the words before the daemon's own. */
  constructor(folder: string, program: readonly string[]) {
    this.folder = folder;
    this.#program = program;
  }

  /** Its log and errors so far. */
  get said(): string {
    return this.#said;
  }

  get config(): string {
    return join(this.folder, 'longshore.yaml');
  }

  async configure(yaml: string, privateKey: string): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    await writeFile(join(this.folder, 'dispatch-key'), privateKey, { mode: 0o600 });
    const text = `clusterId: zoooo
managementToken: ${token}
stateDir: ./state
dispatchPrivateKey: file://${join(this.folder, 'dispatch-key')}
scheduler: { reserveExtraRam: 0, localKeepBlobBuffersPerVcpu: 0, pollInterval: 1s, staleLockTimeout: 5s }
api: { listen: '127.0.0.1:0' }
${yaml}`;
    await writeFile(this.config, text);
  }

  async start(): Promise<void> {
    const address = join(this.folder, 'state', 'api-address');
    await rm(address, { force: true });
    const [file, ...words] = ['setpriv', '--pdeathsig', 'KILL', ...this.#program];
    const child = spawn(file, [...words, '--config', this.config, 'serve'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    this.#child = child;
    child.stderr.on(
      'data',
      (chunk: Buffer) => (this.#said = (this.#said + chunk.toString()).slice(-400_000)),
    );
    await until('the daemon to answer', startMs, () => {
      if (child.exitCode !== null) throw new Error(`the daemon ended: ${this.#said.slice(-2_000)}`);
      return existsSync(address) && readFileSync(address, 'utf8') !== '';
    });
  }

  /** Ends it, if it runs. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  async ask(path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    const url = readFileSync(join(this.folder, 'state', 'api-address'), 'utf8').trim();
    return fetch(url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  }

  async call<T>(path: string, body?: unknown): Promise<T> {
    const response = await this.ask(path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text === '' ? '{}' : text) as T;
  }

  async submit(...wishes: ContainerWish[]): Promise<string[]> {
    const { items } = await this.call<{ items: ContainerBody[] }>('/v1/containers', { containers: wishes });
    return items.map(({ uuid }) => uuid);
  }

  find(uuid: string): Promise<ContainerBody> {
    return this.call(`/v1/containers/${uuid}`);
  }

  async instances(): Promise<InstanceBody[]> {
    return (await this.call<{ items: InstanceBody[] }>('/v1/instances')).items;
  }

  async log(uuid: string, stream: 'stdout' | 'stderr'): Promise<string> {
    const response = await this.ask(`/v1/containers/${uuid}/logs?stream=${stream}`);
    return response.ok ? response.text() : `(${response.status} ${await response.text()})`;
  }

  /** What a person can read about the instance or container: what explain says and the journal has. */
  async told(id: string): Promise<string> {
    const explained = await this.ask(`/v1/explain/${encodeURIComponent(id)}`);
    if (!explained.ok) return '';
    const { lines = [], history = [] } = (await explained.json()) as {
      lines?: string[];
      history?: { text: string }[];
    };
    return [...lines, ...history.map(({ text }) => text)].join('\n');
  }
}
