import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import type { Executor } from '../../src/ssh/executor.js';
import { hostKeyOf } from '../../src/ssh/host-key.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { createExecutorFactory } from '../../src/ssh/ssh-executor.js';
import { startSshd, type Sshd } from '../support/sshd.js';
import { requireTool } from '../support/tools.js';

const login = generateKeyPair();
const signal = new AbortController().signal;
const timeoutMs = 30_000;

const factory = createExecutorFactory({
  privateKey: login.privateKey,
  defaultPort: '22',
  connectTimeoutMs: timeoutMs,
  keepaliveIntervalMs: 0,
  clock: systemClock,
  maxHandshakes: 4,
  maxChannels: 4,
});
const observer = { connected: () => {}, verified: () => {}, lost: () => {} };

describe('the executor against OpenSSH', () => {
  let sshd: Sshd;
  let executor: Executor;
  let keys: Uint8Array[];

  beforeEach(async (context) => {
    const program = requireTool(context, 'sshd');
    await mkdir('/run/sshd', { recursive: true }).catch(() => {});
    sshd = await startSshd(program, login.publicKey);
    keys = [];
    const verify = (key: Uint8Array): Promise<void> => {
      keys.push(key);
      return Promise.resolve();
    };
    executor = factory({ address: `127.0.0.1:${sshd.port}`, remoteUser: sshd.user }, verify, observer);
  });
  afterEach(async () => {
    await executor?.close();
    await sshd?.stop();
  });

  it('runs commands with input, environment and exit status (T-72, X-2)', async () => {
    const command = 'printf "%s|" "$TESTVAR"; cat; echo oops >&2; exit "$(cat /dev/null; echo 0)"';
    const result = await executor.run(command, { stdin: 'in', env: { TESTVAR: 'v' }, timeoutMs, signal });
    expect(result).toMatchObject({ stdout: 'v|in', stderr: 'oops\n' });
    expect(result.bootId ?? '').toBe(
      (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim(),
    );
    await expect(executor.run('exit 7', { timeoutMs, signal })).rejects.toMatchObject({
      code: 'exit',
      exitCode: 7,
    });
    await expect(executor.run('kill -9 $$', { timeoutMs, signal })).rejects.toMatchObject({
      code: 'closed',
      sent: true,
    });
  });

  it('shows the host key of the server, once (X-5)', async () => {
    await executor.run('true', { timeoutMs, signal });
    await executor.run('true', { timeoutMs, signal });
    expect(keys.map((key) => sshd.hostKey.equals(key))).toEqual([true]);
  });

  it('shows the pinned one of its several host keys, whatever the order of preference (X-5)', async (context) => {
    const keygen = requireTool(context, 'ssh-keygen');
    const rsa = join(await mkdtemp(join(tmpdir(), 'longshore-rsa-')), 'key');
    execFileSync(keygen, ['-q', '-t', 'rsa', '-b', '2048', '-N', '', '-f', rsa]);
    const several = await startSshd(requireTool(context, 'sshd'), login.publicKey, {
      settings: [`HostKey ${rsa}`],
    });
    const shown: string[] = [];
    const verify = (key: Uint8Array): Promise<void> => {
      shown.push(hostKeyOf(key).type);
      return Promise.resolve();
    };
    const target = { address: `127.0.0.1:${several.port}`, remoteUser: several.user };
    for (const hostKeyType of [undefined, 'ssh-rsa', 'ssh-ed25519', 'unknown']) {
      const one = factory({ ...target, ...(hostKeyType && { hostKeyType }) }, verify, observer);
      await one.run('true', { timeoutMs, signal });
      await one.close();
    }
    await several.stop();
    await rm(dirname(rsa), { recursive: true });
    expect(shown).toEqual(['ssh-ed25519', 'ssh-rsa', 'ssh-ed25519', 'ssh-ed25519']);
  });

  it('stays within the session limit of the server with many commands at once (K-21)', async () => {
    const commands = Array.from({ length: 15 }, (_, index) =>
      executor.run(`echo ${index}`, { timeoutMs, signal }),
    );
    const results = await Promise.all(commands);
    expect(results.map(({ stdout }) => Number(stdout))).toEqual(
      Array.from({ length: 15 }, (_, index) => index),
    );
  });

  it('uploads megabytes while other commands go on', async () => {
    const upload = executor.run('wc -c', { stdin: new Uint8Array(5_000_000), timeoutMs, signal });
    const other = await executor.run('echo meanwhile', { timeoutMs, signal });
    expect([other.stdout, Number((await upload).stdout)]).toEqual(['meanwhile\n', 5_000_000]);
  });

  it('reports a session that the server ended as closed, and goes on with a new connection (T-73, X-7)', async () => {
    await executor.run('true', { timeoutMs, signal });
    const cut = executor.run('kill -9 $PPID; sleep 5', { timeoutMs, signal });
    await expect(cut).rejects.toMatchObject({ code: 'closed' });
    expect((await executor.run('echo back', { timeoutMs, signal })).stdout).toBe('back\n');
    expect(keys).toHaveLength(1);
  });

  it('streams lines beside commands and stops on request', async () => {
    const abort = new AbortController();
    const { lines } = await executor.open('while echo tick; do sleep 0.05; done', abort);
    let seen = 0;
    for await (const line of lines) {
      expect(line).toBe('tick');
      await executor.run('true', { timeoutMs, signal });
      if (++seen === 3) abort.abort();
    }
    expect(seen).toBeGreaterThanOrEqual(3);
  });
});
