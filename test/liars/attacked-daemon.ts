import { fork, type ChildProcess } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'libsql';
import { generateKeyPair } from '../../src/ssh/keys.js';
import type { FromDaemon } from './daemon-program.js';
import type { Measured } from './meter.js';

const program = fileURLToPath(new URL('daemon-program.ts', import.meta.url));
const token = 'liars-token-0123456789abcdef';
const startMs = 90_000;
const longestLog = 20_000;

export const clusterId = 'liars';
export const liarType = 'big';

/** A container as the API shows it. */
export interface ContainerBody {
  uuid: string;
  name: string;
  state: string;
  exitCode: number | null;
  instance: string | null;
}

export interface InstanceBody {
  instance: string;
  type: string;
  state: string;
  idleBehavior: string;
  quarantine: { since: string; because: string } | null;
}

/** Of the journal. */
export interface QuarantineEntry {
  at: number;
  instance: string;
  because: string;
}

export interface ContainerWish {
  name: string;
  command: readonly string[];
  vcpus: number;
}

/** The daemon as a process of its own, what it measures of itself, and its API. */
export class AttackedDaemon {
  readonly measured: Measured[] = [];
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #database: string;
  #url = '';
  #log = '';
  #logBytes = 0;
  #lastRow = 0;

  private constructor(folder: string, child: ChildProcess) {
    this.#folder = folder;
    this.#child = child;
    this.#database = join(folder, 'state', 'longshore.db');
    child.on('message', (message: FromDaemon) => {
      if (message.type === 'url') this.#url = message.url;
      else this.measured.push(message);
    });
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#logBytes += chunk.length;
      this.#log = (this.#log + chunk.toString()).slice(-longestLog);
    });
  }

  static async start(
    folder: string,
    cloudUrl: string,
    { maxInstances, onStarted }: { maxInstances: number; onStarted(child: ChildProcess): void },
  ): Promise<AttackedDaemon> {
    await mkdir(folder, { recursive: true });
    const config = join(folder, 'longshore.yaml');
    await writeFile(join(folder, 'dispatch-key'), generateKeyPair().privateKey, { mode: 0o600 });
    await writeFile(config, configOf(folder, maxInstances));
    const child = fork(program, [config, cloudUrl], {
      execArgv: ['--expose-gc', '--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    onStarted(child);
    const daemon = new AttackedDaemon(folder, child);
    for (const deadlineAt = Date.now() + startMs; daemon.#url === '';) {
      if (daemon.hasEnded) throw new Error(`the daemon did not start: ${daemon.log.slice(-2_000)}`);
      if (Date.now() > deadlineAt) throw new Error(`the daemon did not start in ${startMs / 1_000} s`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return daemon;
  }

  get url(): string {
    return this.#url;
  }

  get folder(): string {
    return this.#folder;
  }

  get log(): string {
    return this.#log;
  }

  get logBytes(): number {
    return this.#logBytes;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** What was written to the journal since the last call: how much, and who was quarantined. */
  readJournal(): { bytes: number; quarantined: QuarantineEntry[] } {
    const database = new Database(this.#database, { readonly: true });
    try {
      const row = database
        .prepare('select max(id) as last, sum(length(entry)) as bytes from journal where id > ?')
        .get(this.#lastRow) as { last: number | null; bytes: number | null };
      const entries = database
        .prepare(`select entry from journal where id > ? and kind = 'instance.quarantined'`)
        .all(this.#lastRow) as { entry: string }[];
      this.#lastRow = row.last ?? this.#lastRow;
      const quarantined = entries.map(({ entry }) => JSON.parse(entry) as QuarantineEntry);
      return { bytes: row.bytes ?? 0, quarantined };
    } finally {
      database.close();
    }
  }

  async ask(path: string, body?: unknown, withinMs = 30_000): Promise<Response> {
    const json = { 'content-type': 'application/json' };
    return fetch(this.#url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : json) },
      signal: AbortSignal.timeout(withinMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async call<T>(path: string, body?: unknown): Promise<T> {
    const response = await this.ask(path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 300)}`);
    return JSON.parse(text === '' ? '{}' : text) as T;
  }

  async submit(wishes: readonly ContainerWish[]): Promise<string[]> {
    const containers = wishes.map((wish) => ({ ...wish, ram: '16MiB' }));
    const { items } = await this.call<{ items: ContainerBody[] }>('/v1/containers', { containers });
    return items.map(({ uuid }) => uuid);
  }

  async instances(): Promise<InstanceBody[]> {
    return (await this.call<{ items: InstanceBody[] }>('/v1/instances')).items;
  }

  async end(): Promise<void> {
    if (this.hasEnded) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

function configOf(folder: string, maxInstances: number): string {
  return `clusterId: ${clusterId}
managementToken: ${token}
stateDir: ./state
dispatchPrivateKey: file://${join(folder, 'dispatch-key')}
driver: loopback
instanceTypes:
  small: { vcpus: 2, ram: 8GiB, includedScratch: 8GiB, price: 0.1 }
  ${liarType}: { vcpus: 16, ram: 64GiB, includedScratch: 64GiB, price: 10 }
pool:
  bootProbeCommand: 'true'
  probeInterval: 1s
  syncInterval: 2s
  timeoutIdle: 30m
  commandTimeout: 20s
  maxInstances: ${maxInstances}
  maxConcurrentCreates: 4
  maxCloudOpsPerSecond: 0
  bootFailureLimit: 0
runner: { deployDirectory: ${join(folder, 'runner')} }
scheduler: { reserveExtraRam: 0, localKeepBlobBuffersPerVcpu: 0, pollInterval: 1s, staleLockTimeout: 5s }
api: { listen: '127.0.0.1:0' }
logLevel: info
`;
}
