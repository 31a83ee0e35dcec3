import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import { systemClock, type Clock } from '../../src/domain/clock.js';
import type { CommandStream, Executor } from '../../src/ssh/executor.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { createExecutorFactory } from '../../src/ssh/ssh-executor.js';
import { startSshd } from '../support/sshd.js';
import { requireTool } from '../support/tools.js';

const login = generateKeyPair();
const signal = new AbortController().signal;
const timeoutMs = 30_000;
const closers: (() => Promise<unknown>)[] = [];
const follow = 'echo attached; exec tail -f /dev/null';

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Host {
  executor: Executor;
  /** How often the host was verified. */
  verified: () => number;
}

async function hostOf(
  context: TestContext,
  maxSessions: number,
  { maxUserSessions = 8, clock = systemClock }: { maxUserSessions?: number; clock?: Clock } = {},
): Promise<Host> {
  const program = requireTool(context, 'sshd');
  await mkdir('/run/sshd', { recursive: true }).catch(() => {});
  const sshd = await startSshd(program, login.publicKey, { settings: [`MaxSessions ${maxSessions}`] });
  closers.push(() => sshd.stop());
  let verified = 0;
  const factory = createExecutorFactory({
    privateKey: login.privateKey,
    defaultPort: '22',
    connectTimeoutMs: timeoutMs,
    keepaliveIntervalMs: 0,
    clock,
    maxHandshakes: 4,
    maxChannels: 4,
    maxUserSessions,
  });
  const verify = (): Promise<void> => Promise.resolve(void verified++);
  const observer = { connected: () => {}, verified: () => {}, lost: () => {} };
  const executor = factory({ address: `127.0.0.1:${sshd.port}`, remoteUser: sshd.user }, verify, observer);
  closers.push(() => executor.close());
  return { executor, verified: () => verified };
}

/** Reads until the first line is there. */
async function begun(stream: CommandStream): Promise<AsyncIterator<string>> {
  const lines = stream.lines[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('attached');
  return lines;
}

const run = (executor: Executor, index: number): Promise<{ stdout: string }> =>
  executor.run(`echo ${index}`, { timeoutMs, signal });

describe('readers of logs', () => {
  it('take no session from the daemon, however many there are', async (context) => {
    const { executor, verified } = await hostOf(context, 3);
    const watch = await begun(await executor.open(follow, { signal }));
    for (let each = 0; each < 3; each++)
      await begun(await executor.open(follow, { signal, traffic: 'user' }));
    await expect(executor.open(follow, { signal, traffic: 'user' })).rejects.toMatchObject({
      code: 'session-limit',
      sent: false,
      message: expect.stringMatching(/allows 3 at once \(MaxSessions in its sshd_config\)/) as string,
    });
    const results = await Promise.all(Array.from({ length: 8 }, (_each, index) => run(executor, index)));
    expect(results.map(({ stdout }) => Number(stdout))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const ended = watch.next().then(() => 'ended');
    expect(await Promise.race([ended, run(executor, 9)])).toMatchObject({ stdout: '9\n' });
    expect(verified()).toBe(1);
  });

  it('wait for each other, and get the reason when none ends in time', async (context) => {
    const clock = { ...systemClock, now: () => systemClock.now() };
    const hurried: Clock = {
      ...clock,
      setTimeout: (callback, ms) => systemClock.setTimeout(callback, ms / 20),
      clearTimeout: (timer) => systemClock.clearTimeout(timer),
    };
    const { executor } = await hostOf(context, 10, { maxUserSessions: 1, clock: hurried });
    const first = await executor.open(follow, { signal, traffic: 'user' });
    await begun(first);
    await expect(
      executor.openSession!({ command: 'true', terminal: undefined, signal }),
    ).rejects.toMatchObject({
      code: 'session-limit',
      message: expect.stringContaining('1 logs, shells and files are open') as string,
    });
    const second = executor.open(follow, { signal, traffic: 'user' });
    first.close();
    await begun(await second);
  });
});

describe('a server that allows one session', () => {
  it('keeps it for commands: what is followed gives way and is not begun again', async (context) => {
    const { executor } = await hostOf(context, 1);
    const watch = await begun(await executor.open(follow, { signal }));
    const ended = watch.next();
    const [, result] = await Promise.all([
      expect(ended).rejects.toMatchObject({ code: 'session-limit' }),
      run(executor, 1),
    ]);
    expect(result.stdout).toBe('1\n');
    await expect(executor.open(follow, { signal })).rejects.toMatchObject({
      code: 'session-limit',
      message: expect.stringContaining('allows 1 at once') as string,
    });
    const results = await Promise.all(Array.from({ length: 6 }, (_each, index) => run(executor, index)));
    expect(results.map(({ stdout }) => Number(stdout))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('is named when a command gets no session in time, and the command was not sent', async (context) => {
    const { executor } = await hostOf(context, 1);
    const folder = await mkdtemp(join(tmpdir(), 'longshore-sessions-'));
    closers.push(() => rm(folder, { recursive: true }));
    const [begun, over] = [join(folder, 'begun'), join(folder, 'over')];
    const long = executor.run(`>${begun}; until [ -e ${over} ]; do sleep 0.1; done`, { timeoutMs, signal });
    await expect.poll(() => existsSync(begun), { timeout: timeoutMs }).toBe(true);
    // One that is cut off while the server is being asked counts as sent, since that cannot be known.
    const refused = (): Promise<unknown> =>
      executor.run('true', { timeoutMs: 1_500, signal }).catch((error: unknown) => error);
    await expect.poll(refused, { timeout: timeoutMs, interval: 1 }).toMatchObject({
      code: 'session-limit',
      sent: false,
      message: expect.stringContaining('MaxSessions') as string,
    });
    await writeFile(over, '');
    await long;
  });
});
