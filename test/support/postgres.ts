import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { findTool } from './tools.js';

/** A PostgreSQL server of the test's own, in a folder of its own, that listens on a socket there only. */
export interface PostgresServer {
  /** Folder of its socket, and the port in the socket's name. */
  socket: string;
  /** Address of a new, empty database. */
  createDatabase(): string;
  /** Runs SQL as the owner; throws what the server says. */
  run(sql: string, database?: string): string;
  /** Stops it at once as a crash does, and starts it again. */
  crash(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const user = 'longshore';

/** The folder of the server's programs, or `undefined`. */
export function postgresBin(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = versions.map((version) => join(root, version, 'bin'));
  const inPath = findTool('initdb');
  return folders.find((folder) => existsSync(join(folder, 'initdb'))) ?? inPath?.replace(/\/initdb$/, '');
}

/** Without the server's programs the test is skipped with the reason; under CI that is a failure. */
export function requirePostgres(context: TestContext): string {
  const bin = postgresBin();
  if (bin !== undefined) return bin;
  if (process.env['CI'] === 'true') {
    throw new Error('PostgreSQL is not installed; scripts/test installs it under CI');
  }
  context.skip('PostgreSQL is not installed');
  return '';
}

/** The server refuses to run as root: root becomes nobody for it. */
function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith('nobody:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) };
}

/** `isDurable`: commits are synced to the disk, as in production; tests do without. */
export async function startPostgres(bin: string, { isDurable = false } = {}): Promise<PostgresServer> {
  // Below the root: the path of a socket is bounded.
  const folder = await mkdtemp(join(tmpdir(), 'ls-pg-'));
  const owner = unprivileged();
  if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid!);
  const data = join(folder, 'data');
  const options = { ...owner, cwd: folder, env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } };
  const init = ['-D', data, '-U', user, '-A', 'trust', '-E', 'UTF8', '--no-sync'];
  check(spawnSync(join(bin, 'initdb'), init, { ...options, encoding: 'utf8' }));
  let server: ChildProcess;
  const start = async (): Promise<void> => {
    server = spawn(join(bin, 'postgres'), ['-D', data, ...settings(folder, isDurable)], {
      ...options,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await ready(server);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill(signal);
    await ended;
  };
  const run = (sql: string, database = 'postgres'): string => {
    const args = ['-h', folder, '-U', user, '-d', database, '-v', 'ON_ERROR_STOP=1', '-qAtc', sql];
    return check(spawnSync(join(bin, 'psql'), args, { ...options, encoding: 'utf8' })).trim();
  };
  let databases = 0;
  await start();
  return {
    socket: join(folder, '.s.PGSQL.5432'),
    createDatabase: () => {
      const name = `test${++databases}`;
      run(`create database ${name}`);
      return `postgres://${user}@localhost/${name}?host=${encodeURIComponent(folder)}`;
    },
    run,
    crash: async () => {
      await end('SIGQUIT');
      await start();
    },
    start,
    stop: async () => {
      await end('SIGINT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function settings(folder: string, isDurable: boolean): string[] {
  const values = {
    listen_addresses: '',
    unix_socket_directories: folder,
    max_connections: '60',
    shared_buffers: '32MB',
    fsync: isDurable ? 'on' : 'off',
    // Words of the messages are not relied on, but the line below is waited for.
    lc_messages: 'C',
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = (): void => reject(new Error(`PostgreSQL did not start: ${said}`));
    server.once('exit', fail);
    server.stderr!.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000);
      if (!said.includes('database system is ready to accept connections')) return;
      server.off('exit', fail);
      resolve();
    });
  });
}

function check({
  status,
  stdout,
  stderr,
}: {
  status: number | null;
  stdout: string;
  stderr: string;
}): string {
  if (status !== 0) throw new Error(stderr || stdout || 'a program of PostgreSQL could not be run');
  return stdout;
}
