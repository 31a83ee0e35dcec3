import { once } from 'node:events';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildStartDocument, type SpotNotices } from '../../src/runner/start-document.js';
import { findTool } from './tools.js';
import type { ContainerWork } from '../../src/domain/container-work.js';

const program = fileURLToPath(new URL('../../src/runner/longshore-runner.sh', import.meta.url));

/** What the program uses, so that under busybox its applets serve it, as far as it was built with them. */
const applets = [
  ...[
    'sh',
    'flock',
    'base64',
    'sed',
    'grep',
    'head',
    'tail',
    'cat',
    'tr',
    'wc',
    'date',
    'sleep',
    'stat',
    'id',
  ],
  ...['mkdir', 'mkfifo', 'mv', 'rm', 'truncate', 'timeout', 'setsid', 'env'],
];

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** One pretended instance: a folder of its own in which the real runner program works. */
export class RunnerHost {
  readonly folder: string;
  /** Added to the environment of the program. */
  readonly env: Record<string, string> = {};
  /** Words before the command: a namespace, for one. */
  wrapper: readonly string[] = [];
  /** The engine that the start command names; none: the program looks for one. */
  engine: string | undefined;
  /** Whose the program is; `undefined`: the user of the test. */
  user: number | undefined;
  readonly #shell: readonly string[];
  readonly #children = new Set<ChildProcess>();

  private constructor(folder: string, shell: readonly string[]) {
    this.folder = folder;
    this.#shell = shell;
  }

  static async create(shell: readonly string[]): Promise<RunnerHost> {
    const host = new RunnerHost(await mkdtemp(join(tmpdir(), 'longshore-runner-')), shell);
    await mkdir(host.bin);
    const busybox = shell[0] === 'busybox' ? findTool('busybox') : undefined;
    const built = busybox ? execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n') : [];
    for (const applet of applets)
      if (busybox && built.includes(applet)) await symlink(busybox, join(host.bin, applet));
    return host;
  }

  get lockDir(): string {
    return join(this.folder, 'lock');
  }

  /** Comes first in the PATH of what runs here. */
  get bin(): string {
    return join(this.folder, 'bin');
  }

  home(uuid: string): string {
    return join(this.folder, 'state', 'c', uuid);
  }

  lockFile(uuid: string): string {
    return join(this.lockDir, `crunch-run-${uuid}.lock`);
  }

  spawn(...args: string[]): ChildProcess {
    const [command, ...words] = [...this.wrapper, ...this.#shell, program, ...args];
    const child = spawn(command!, words, {
      ...(this.user === undefined ? {} : { uid: this.user, gid: this.user }),
      env: {
        ...process.env,
        LONGSHORE_LOCK_DIR: this.lockDir,
        LONGSHORE_STATE_DIR: join(this.folder, 'state'),
        LONGSHORE_KILL_GRACE_S: '1',
        LONGSHORE_BEAT_S: '1',
        PATH: [this.bin, process.env['PATH']].join(delimiter),
        ...this.env,
      },
      stdio: 'pipe',
    });
    this.#children.add(child);
    child.on('close', () => this.#children.delete(child));
    return child;
  }

  run(args: string[], stdin = ''): Promise<Ran> {
    const child = this.spawn(...args);
    let stdout = '';
    let stderr = '';
    child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin!.on('error', () => {});
    child.stdin!.end(stdin);
    return new Promise((resolve) =>
      child.on('close', (code) => resolve({ code: code ?? 255, stdout, stderr })),
    );
  }

  /** Runs it again until it exits with that code. Resolves to what it printed then. */
  async until(code: number, ...args: string[]): Promise<string> {
    for (let tries = 0; ; tries++) {
      const ran = await this.run(args);
      if (ran.code === code) return ran.stdout;
      if (tries === 30) throw new Error(`${args.join(' ')} exits with ${ran.code}: ${ran.stderr}`);
    }
  }

  start(
    uuid: string,
    work: Partial<ContainerWork> = {},
    logLimitBytes = 1_000_000,
    spotNotices?: SpotNotices,
    attempt?: number,
  ): Promise<Ran> {
    const document = buildStartDocument({
      env: {},
      keepBuffers: 0,
      cluster: null,
      spotNotices,
      logLimitBytes,
      work: {
        command: ['true'],
        env: {},
        image: '',
        cwd: '',
        vcpus: 1,
        ramBytes: 0,
        maxRunTimeMs: 0,
        ...work,
      },
    });
    const named = attempt === undefined ? [] : [`--attempt=${attempt}`];
    if (this.engine !== undefined) named.push(`--runtime-engine=${this.engine}`);
    return this.run(['--detach', '--stdin-config', ...named, uuid], document);
  }

  /** Holds a container's lock by a process that is no supervisor, until the returned function is called. */
  async hold(uuid: string): Promise<() => void> {
    const command = ['sh', '-c', 'echo held; exec sleep 100'];
    const helper = spawn('flock', [this.lockFile(uuid), ...command], {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    });
    await once(helper.stdout, 'data');
    return () => process.kill(-helper.pid!, 'SIGKILL');
  }

  async list(): Promise<string[]> {
    const { stdout } = await this.run(['--list']);
    return stdout.split('\n').filter((line) => line !== '');
  }

  async pidOf(uuid: string): Promise<number> {
    return (JSON.parse(await readFile(this.lockFile(uuid), 'utf8')) as { PID: number }).PID;
  }

  /** Ends all that was started here and removes the folder. */
  async remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    // Again until none is found: one may have begun another one meanwhile.
    while (await this.#killAll());
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #killAll(): Promise<number> {
    let killed = 0;
    for (const file of await readdir('/proc')) {
      if (!/^\d+$/.test(file)) continue;
      const environment = await readFile(`/proc/${file}/environ`, 'utf8').catch(() => '');
      if (!environment.includes(`LONGSHORE_STATE_DIR=${this.folder}/`)) continue;
      try {
        process.kill(Number(file), 'SIGKILL');
        killed += 1;
      } catch {
        // It ended by itself.
      }
    }
    return killed;
  }
}
