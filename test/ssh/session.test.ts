import { mkdir } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import type { Executor, RemoteSession, SessionOptions } from '../../src/ssh/executor.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { createExecutorFactory } from '../../src/ssh/ssh-executor.js';
import { startSshd, type Sshd } from '../support/sshd.js';
import { requireTool } from '../support/tools.js';

const login = generateKeyPair();
const { signal } = new AbortController();
const soon = { timeout: 30_000, interval: 20 };

describe('a session on an instance, against OpenSSH', () => {
  let sshd: Sshd;
  let executor: Executor;
  let isAccepted = true;

  beforeEach(async (context) => {
    const program = requireTool(context, 'sshd');
    await mkdir('/run/sshd', { recursive: true }).catch(() => {});
    sshd = await startSshd(program, login.publicKey);
    isAccepted = true;
    const factory = createExecutorFactory({
      privateKey: login.privateKey,
      defaultPort: '22',
      connectTimeoutMs: 30_000,
      keepaliveIntervalMs: 0,
      clock: systemClock,
      maxHandshakes: 4,
      maxChannels: 4,
    });
    const target = { address: `127.0.0.1:${sshd.port}`, remoteUser: sshd.user };
    const verify = (): Promise<void> =>
      isAccepted ? Promise.resolve() : Promise.reject(new Error('not this key'));
    executor = factory(target, verify, { connected: () => {}, verified: () => {}, lost: () => {} });
  });
  afterEach(async () => {
    await executor?.close();
    await sshd?.stop();
  });

  const open = async (
    options: Partial<SessionOptions>,
  ): Promise<{ session: RemoteSession; said: () => string }> => {
    const session = await executor.openSession!({
      command: undefined,
      terminal: undefined,
      signal,
      ...options,
    });
    let text = '';
    session.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    session.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    return { session, said: () => text };
  };

  it('has a terminal of the size it is given, and follows its changes', async () => {
    const terminal = { name: 'xterm', columns: 91, rows: 17 };
    const { session, said } = await open({ terminal, command: 'sh' });
    session.stdin.write('stty size; echo "[$TERM]"\n');
    await expect.poll(said, soon).toContain('17 91');
    await expect.poll(said, soon).toContain('[xterm]');
    session.resize(70, 33);
    session.stdin.write('stty size\n');
    await expect.poll(said, soon).toContain('33 70');
    session.stdin.write('exit 5\n');
    expect(await session.ended).toEqual({ exitCode: 5, killedBy: '' });
  });

  it('is the login shell when no command is given, and ends with its input', async () => {
    const { session, said } = await open({});
    session.stdin.write('echo "it is $0"\n');
    await expect.poll(said, soon).toContain('it is');
    session.stdin.end();
    expect(await session.ended).toMatchObject({ exitCode: 0 });
  });

  it('tells the key the host was verified with, and by which signal a command was ended', async () => {
    const { session } = await open({ command: 'kill -9 $$' });
    const digest = createHash('sha256').update(sshd.hostKey).digest('base64').replace(/=+$/, '');
    expect(session.hostKey).toBe(`SHA256:${digest}`);
    expect(await session.ended).toEqual({ exitCode: undefined, killedBy: 'SIGKILL' });
  });

  it('does not come about on a host that was not accepted (X-5, X-6)', async () => {
    isAccepted = false;
    await expect(open({ command: 'true' })).rejects.toMatchObject({ code: 'host-key' });
  });

  it('ends, knowing nothing of the outcome, when the connection is lost', async () => {
    const { session } = await open({ command: 'sleep 60' });
    await executor.close();
    expect(await session.ended).toEqual({ exitCode: undefined, killedBy: '' });
  });
});
