import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import { installCommand } from '../../src/actors/copy-runner.js';
import type { Executor, HostVerifier } from '../../src/ssh/executor.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { createExecutorFactory } from '../../src/ssh/ssh-executor.js';
import { canUnshare, startSshd, type HostHabits } from '../support/sshd.js';
import { requireTool } from '../support/tools.js';

const login = generateKeyPair();
const signal = new AbortController().signal;
const timeoutMs = 30_000;
const accept: HostVerifier = () => Promise.resolve();
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function executorOf(
  context: TestContext,
  habits: HostHabits,
  verify: HostVerifier = accept,
): Promise<Executor> {
  const program = requireTool(context, 'sshd');
  if (!canUnshare()) context.skip('namespaces need root');
  await mkdir('/run/sshd', { recursive: true });
  const sshd = await startSshd(program, login.publicKey, habits);
  closers.push(() => sshd.stop());
  const factory = createExecutorFactory({
    privateKey: login.privateKey,
    defaultPort: '22',
    connectTimeoutMs: timeoutMs,
    keepaliveIntervalMs: 0,
    clock: systemClock,
    maxHandshakes: 4,
    maxChannels: 4,
  });
  const target = { address: `127.0.0.1:${sshd.port}`, remoteUser: 'root' };
  const executor = factory(target, verify, { connected: () => {}, verified: () => {}, lost: () => {} });
  closers.push(() => executor.close());
  return executor;
}

const md5Of = (content: Uint8Array): string => createHash('md5').update(content).digest('hex');

const noise = 'echo "Loading modules ... done"; echo "warning: cannot set locale" >&2';
const hosts: Record<string, HostHabits> = {
  'a login shell of bash that prints at its start': { loginShell: '/bin/bash', home: { '.bashrc': noise } },
  'a login shell of bash whose start-up reads the input': {
    loginShell: '/bin/bash',
    home: { '.bashrc': `read -t 0.2 -N 4; ${noise}` },
  },
  'a login shell of dash': { loginShell: '/bin/dash' },
  'a login shell of tcsh': { loginShell: '/bin/tcsh', home: { '.cshrc': 'echo "Loading modules ... done"' } },
  'a login shell of fish': {
    loginShell: '/usr/bin/fish',
    home: { '.config/fish/config.fish': 'echo "Loading modules ... done"' },
  },
  'a banner and a forced command that runs what was asked': {
    settings: ['ForceCommand echo Welcome; echo Bienvenue >&2; sh -c "$SSH_ORIGINAL_COMMAND"'],
    loginShell: '/bin/bash',
  },
};

describe.each(Object.entries(hosts))('a host with %s', (_name, habits) => {
  const shell = habits.loginShell ?? '/bin/sh';
  const host = (context: TestContext, verify?: HostVerifier): Promise<Executor> => {
    if (!existsSync(shell)) context.skip(`${shell} is not installed`);
    return executorOf(context, habits, verify);
  };

  it('gives back exactly what a command printed, and its status (X-2)', async (context) => {
    const executor = await host(context);
    const command = `printf '%s|' 'it'"'"'s' "a\\\\b" '!x' '$HOME' "$((1 + 1))"\necho oops >&2; (exit 0)`;
    expect(await executor.run(command, { timeoutMs, signal })).toMatchObject({
      stdout: "it's|a\\b|!x|$HOME|2|",
      stderr: 'oops\n',
    });
    const failed = { code: 'exit', exitCode: 7, stdout: 'out', stderr: 'err' };
    const ended = executor.run('printf out; printf err >&2; exit 7', { timeoutMs, signal });
    await expect(ended).rejects.toMatchObject(failed);
    await expect(executor.run('if then', { timeoutMs, signal })).rejects.toMatchObject({ code: 'exit' });
  });

  it('passes the input on unchanged', async (context) => {
    const executor = await host(context);
    const stdin = Buffer.from(Array.from({ length: 300_000 }, (_each, index) => index % 251));
    const { stdout } = await executor.run('md5sum; wc -c', { stdin, timeoutMs, signal });
    expect(stdout).toBe(`${md5Of(stdin)}  -\n0\n`);
  });

  it('takes a script of many lines, and a file', async (context) => {
    const executor = await host(context);
    const content = Buffer.from('#!/bin/sh\necho "it\'s $1"\n');
    const loaded = { content, md5: md5Of(content), path: '/root/bin/crunch-run~x' };
    const { stdout } = await executor.run(installCommand(loaded, 'root'), {
      stdin: content,
      timeoutMs,
      signal,
    });
    expect(stdout).toBe(`${loaded.md5} 0\n`);
    expect((await executor.run('/root/bin/crunch-run~x up', { timeoutMs, signal })).stdout).toBe("it's up\n");
  });

  it('shows the verifier the secret and nothing else (X-6)', async (context) => {
    let secret = '';
    const executor = await host(context, async (_key, run) => {
      secret = (await run('printf 0123abc')).stdout;
    });
    await executor.run('true', { timeoutMs, signal });
    expect(secret).toBe('0123abc');
  });

  it('streams from the first line of the command to its last', async (context) => {
    const executor = await host(context);
    const { lines } = await executor.open('echo attached; echo more; printf last; exit 2', { signal });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const line of lines) seen.push(line);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'exit', exitCode: 2 });
    expect(seen).toEqual(['attached', 'more', 'last']);
  });
});

describe('a host that does not run commands', () => {
  const forced = 'echo Please login as the user "ubuntu" rather than the user "root".; echo; exit 142';
  const habits = { keyOptions: `command="${forced.replaceAll('"', '\\"')}"` };

  it('is reported with what it printed and how it ended, and the command as not run', async (context) => {
    const executor = await executorOf(context, habits);
    await expect(executor.run('true', { timeoutMs, signal })).rejects.toMatchObject({
      code: 'no-shell',
      exitCode: 142,
      sent: false,
      message: expect.stringMatching(
        /did not run the command and ended with status 142; it printed: Please login as the user ubuntu/,
      ) as string,
    });
  });

  it('is not believed when it answers with success, or with the command itself', async (context) => {
    const echo = { settings: ['ForceCommand echo "you said $SSH_ORIGINAL_COMMAND"'] };
    const executor = await executorOf(context, echo);
    const stdin = 'secrets of a container';
    await expect(executor.run('cat', { stdin, timeoutMs, signal })).rejects.toMatchObject({
      code: 'no-shell',
      exitCode: 0,
    });
    const { lines } = await executor.open('watch', { signal });
    await expect(lines[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'no-shell' });
  });

  it('has an unknown outcome when its shell ends in the middle', async (context) => {
    const executor = await executorOf(context, { loginShell: '/bin/bash' });
    await expect(executor.run('echo half; kill -9 $$', { timeoutMs, signal })).rejects.toMatchObject({
      code: 'closed',
      stdout: 'half\n',
      sent: true,
    });
  });
});

describe('the shell of a command of the operator', () => {
  it('is the login shell where that reads what is written for sh (P-7)', async (context) => {
    const executor = await executorOf(context, { loginShell: '/bin/bash' });
    const command = '[[ a == a* ]] && echo bash';
    expect((await executor.run(command, { timeoutMs, signal, shell: 'login' })).stdout).toBe('bash\n');
  });
});
