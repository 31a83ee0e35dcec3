import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { singleQuote } from '../../src/domain/shell-quote.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { unshareWords } from './namespaces.js';

const program = fileURLToPath(new URL('host.sh', import.meta.url));

/** What makes a host odd. */
export interface HostHabits {
  rootShell?: string;
  /** Who logs in; `worker` may use sudo. */
  user?: 'root' | 'worker';
  workerShell?: string;
  workerId?: number;
  /** Lines of `sshd_config`. */
  sshd?: readonly string[];
  /** Lines of `sudoers`. */
  sudoers?: readonly string[];
  tmpOptions?: string;
  /** Bash text, run as root before the SSH server starts; knows `own_programs`. */
  prepare?: string;
  /** Bash text, run last, in the process that becomes the SSH server. */
  beforeLogin?: string;
}

const mostTries = 5;
const startMs = 20_000;

/** A real OpenSSH server in namespaces of its own, with its own accounts, disk and boots. */
export class ZooHost {
  readonly name: string;
  readonly habits: HostHabits;
  readonly folder: string;
  readonly hostKey: string;
  #port = 0;
  #child: ChildProcess | undefined;
  /** The first process inside, as seen from outside. */
  #first = 0;
  #said = '';

  private constructor(name: string, habits: HostHabits, folder: string, hostKey: string) {
    this.name = name;
    this.habits = habits;
    this.folder = folder;
    this.hostKey = hostKey;
  }

  /** `authorized`: the public key that may log in. */
  static async start(options: {
    name: string;
    habits: HostHabits;
    folder: string;
    authorized: string;
  }): Promise<ZooHost> {
    const { name, habits, folder, authorized } = options;
    await mkdir(join(folder, 'disk'), { recursive: true });
    const key = generateKeyPair();
    await writeFile(join(folder, 'host-key'), key.privateKey, { mode: 0o600 });
    await writeFile(join(folder, 'authorized'), `${authorized}\n`);
    const host = new ZooHost(name, habits, folder, key.publicKey.trim().split(' ').slice(0, 2).join(' '));
    await host.#boot();
    return host;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get user(): string {
    return this.habits.user ?? 'root';
  }

  /** What its SSH server printed. */
  get said(): string {
    return this.#said;
  }

  /** All its processes end, `/tmp` and `/run` are empty, the disk stays. */
  async reboot(): Promise<void> {
    await this.stop();
    await this.#boot();
  }

  /** Runs shell text as root on the host, past its SSH server. Resolves to the exit code and the output. */
  async sh(text: string): Promise<{ code: number; out: string }> {
    const words = ['-t', String(this.#first), '-m', '-p', '-T', '/bin/bash', '-c', text];
    const child = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()));
    const code = await new Promise<number>((resolve) => child.on('close', (exit) => resolve(exit ?? 255)));
    return { code, out };
  }

  /** How many processes have the text in their command line. */
  async countOf(text: string): Promise<number> {
    const pattern = `[${text[0]!}]${text.slice(1)}`;
    const { out } = await this.sh(`/bin/ps -eo args | /bin/grep -c -- ${singleQuote(pattern)}`);
    return Number(out.trim());
  }

  /** Closes each SSH connection at once, without a word to the client; the server stays. */
  async dropConnections(): Promise<void> {
    await this.sh("pkill -KILL -f '^sshd: (root|worker)'");
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    await waitUntilGone(this.#first);
  }

  /** Ends it and removes what it kept. */
  async remove(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  async #boot(): Promise<void> {
    for (let tries = 1; ; tries++) {
      if (this.#port === 0) this.#port = await freePort();
      await writeFile(join(this.folder, 'settings'), settingsOf(this.habits, this.#port));
      if (await this.#tryBoot()) return;
      if (tries >= mostTries) throw new Error(`host ${this.name} does not start: ${this.#said}`);
      // Somebody else took the port meanwhile; a host that had one keeps it and tries again.
      if (this.#first === 0) this.#port = 0;
    }
  }

  #tryBoot(): Promise<boolean> {
    const [file, ...words] = unshareWords;
    const child = spawn(file!, [...words, ...uptimeWords(), '/bin/bash', program, this.folder], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    this.#said = '';
    return new Promise((resolve) => {
      const timer = setTimeout(() => void this.stop().then(() => resolve(false)), startMs);
      const end = (isUp: boolean): void => {
        clearTimeout(timer);
        resolve(isUp);
      };
      child.on('exit', () => end(false));
      child.stderr.on('data', (chunk: Buffer) => {
        this.#said = (this.#said + chunk.toString()).slice(-20_000);
        if (!this.#said.includes('Server listening')) return;
        void childOf(child.pid!).then((first) => {
          this.#first = first;
          end(true);
        });
      });
    });
  }
}

function settingsOf(habits: HostHabits, port: number): string {
  const lines = (file: string, texts: readonly string[] = []): string[] =>
    texts.map((text) => `printf '%s\\n' ${singleQuote(text)} >>${file}`);
  return [
    `port=${port}`,
    `root_shell=${habits.rootShell ?? '/bin/bash'}`,
    `worker_shell=${habits.workerShell ?? '/bin/bash'}`,
    `worker_id=${habits.workerId ?? 5001}`,
    `tmp_options=${habits.tmpOptions ?? 'rw'}`,
    'prepare() {',
    ...lines('/run/h/sshd_config', habits.sshd),
    ...lines('/run/h/sudoers', habits.sudoers),
    habits.prepare ?? ':',
    '}',
    'before_login() {',
    habits.beforeLogin ?? ':',
    '}',
    '',
  ].join('\n');
}

/** Its uptime begins near zero. */
function uptimeWords(): string[] {
  return ['--time', '--boottime', `-${Math.max(0, Math.floor(process.hrtime()[0]) - 10)}`];
}

async function childOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return Number(text.trim().split(' ')[0]);
}

async function waitUntilGone(pid: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    if (stat === undefined || stat.includes(') Z ')) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
    probe.on('error', reject);
  });
}
