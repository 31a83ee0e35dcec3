import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair, rawPublicKeyOf } from '../../src/ssh/keys.js';

/** OpenSSH's own server on loopback, in a folder of its own, for the user who runs the tests. */
export interface Sshd {
  port: number;
  user: string;
  hostKey: Buffer;
  stop(): Promise<void>;
}

export async function startSshd(program: string, authorizedKey: string): Promise<Sshd> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-sshd-'));
  const hostKey = generateKeyPair();
  await writeFile(join(folder, 'host'), hostKey.privateKey, { mode: 0o600 });
  await writeFile(join(folder, 'authorized'), `${authorizedKey}\n`, { mode: 0o600 });
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
    'SetEnv SHLVL=5',
  ];
  await writeFile(join(folder, 'config'), `${config.join('\n')}\n`);
  const child = spawn(program, ['-D', '-e', '-f', join(folder, 'config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
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
      child.kill('SIGTERM');
      await Promise.race([ended, new Promise((resolve) => child.once('close', resolve))]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
