import { spawn, spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { generateKeyPair, rawPublicKeyOf } from '../../src/ssh/keys.js';

/** OpenSSH's own server on loopback, in a folder of its own, for the user who runs the tests. */
export interface Sshd {
  port: number;
  user: string;
  hostKey: Buffer;
  stop(): Promise<void>;
}

/** What is odd about the host. All but `settings` and `keyOptions` needs namespaces: see {@link canUnshare}. */
export interface HostHabits {
  /** More lines for sshd_config. */
  settings?: readonly string[];
  /** Options before the key, as in `command="…"`. */
  keyOptions?: string;
  /** In place of the login shell of root. */
  loginShell?: string;
  /** Files in the home of root, by name. */
  home?: Readonly<Record<string, string>>;
  /** Commands of a root shell in the namespaces, before the server starts. */
  prepare?: string;
}

/** Whether the host can have namespaces of its own: root, and a kernel that allows it. */
export function canUnshare(): boolean {
  return spawnSync('unshare', ['--mount', '--pid', '--fork', 'true']).status === 0;
}

export async function startSshd(
  program: string,
  authorizedKey: string,
  habits: HostHabits = {},
): Promise<Sshd> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-sshd-'));
  const hostKey = generateKeyPair();
  await writeFile(join(folder, 'host'), hostKey.privateKey, { mode: 0o600 });
  await writeFile(
    join(folder, 'authorized'),
    `${habits.keyOptions ? `${habits.keyOptions} ` : ''}${authorizedKey}\n`,
    {
      mode: 0o600,
    },
  );
  await chmod(folder, 0o700);
  const port = await freePort();
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${join(folder, 'host')}`,
    `AuthorizedKeysFile ${join(folder, 'authorized')}`,
    `PidFile ${join(folder, 'pid')}`,
    'UsePAM no',
    'StrictModes no',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'AcceptEnv TESTVAR',
    ...(habits.home ? [] : ['SetEnv SHLVL=5']),
    ...(habits.settings ?? []),
  ];
  await writeFile(join(folder, 'config'), `${config.join('\n')}\n`);
  const [command, args] = await launcherOf(
    [program, '-D', '-e', '-f', join(folder, 'config')],
    folder,
    habits,
  );
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.on('exit', () => reject(new Error(`sshd ended: ${said}`)));
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('Server listening')) resolve();
    });
  });
  return {
    port,
    user: userInfo().username,
    hostKey: rawPublicKeyOf(hostKey.privateKey),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.removeAllListeners('exit');
      child.once('exit', () => {});
      // What waits for namespaces to end ignores SIGTERM; the server goes with it.
      child.kill(command === 'unshare' ? 'SIGKILL' : 'SIGTERM');
      await Promise.race([ended, new Promise((resolve) => child.once('close', resolve))]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The command, in namespaces of its own where the host has habits that need them. */
async function launcherOf(
  command: readonly string[],
  folder: string,
  { loginShell, home, prepare }: HostHabits,
): Promise<[command: string, args: string[]]> {
  if (loginShell === undefined && !home && prepare === undefined) return [command[0]!, command.slice(1)];
  const passwd = await readFile('/etc/passwd', 'utf8');
  const shell = loginShell ?? '/bin/bash';
  await writeFile(join(folder, 'passwd'), passwd.replace(/^root:.*$/m, `root:x:0:0:root:/root:${shell}`));
  const files = Object.entries(home ?? {}).map(async ([name, text]) => {
    await mkdir(dirname(join(folder, 'home', name)), { recursive: true });
    await writeFile(join(folder, 'home', name), text);
  });
  await Promise.all([mkdir(join(folder, 'home'), { recursive: true }), ...files]);
  const script = [
    'set -e',
    `mount --bind ${join(folder, 'passwd')} /etc/passwd`,
    `mount --bind ${join(folder, 'home')} /root`,
    prepare ?? ':',
    'exec "$@"',
  ].join('\n');
  const namespaces = [
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
  ];
  return ['unshare', [...namespaces, 'sh', '-c', script, 'sh', ...command]];
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
