import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import { ExecutorError, type Executor, type HostVerifier } from '../../src/ssh/executor.js';
import { generateKeyPair, rawPublicKeyOf } from '../../src/ssh/keys.js';
import { startSshServer, type SshCommandRequest, type SshServer } from '../../src/ssh/server.js';
import { createExecutorFactory } from '../../src/ssh/ssh-executor.js';

const loginKey = generateKeyPair();
const hostKey = generateKeyPair();
const closers: (() => Promise<unknown>)[] = [];
const never = new AbortController().signal;

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const accept: HostVerifier = () => Promise.resolve();

function executorTo(address: string, verify: HostVerifier = accept, connectTimeoutMs = 5_000): Executor {
  const factory = createExecutorFactory({
    privateKey: loginKey.privateKey,
    defaultPort: '22',
    connectTimeoutMs,
    keepaliveIntervalMs: 0,
    clock: systemClock,
    maxHandshakes: 8,
    maxChannels: 4,
  });
  const executor = factory({ address, remoteUser: 'root' }, verify, {
    connected: () => {},
    verified: () => {},
    lost: () => {},
  });
  closers.push(() => executor.close());
  return executor;
}

async function server(
  run: (request: SshCommandRequest) => Promise<number> = () => Promise.resolve(0),
  key = hostKey.privateKey,
  port = 0,
): Promise<SshServer> {
  const started = await startSshServer({
    host: '127.0.0.1',
    port,
    hostKey: key,
    authorizedKeys: [loginKey.publicKey],
    run,
  });
  closers.push(() => started.close());
  return started;
}

async function rawServer(onSocket: (socket: Socket) => void): Promise<string> {
  const raw: Server = createServer(onSocket);
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => raw.close(resolve)));
  return `127.0.0.1:${(raw.address() as AddressInfo).port}`;
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'ok',
    (error: unknown) => (error instanceof ExecutorError ? error.code : error),
  );

describe('a command', () => {
  it.each([0, 1, 2])('arrives unchanged and brings back output and status %i (T-72, X-2)', async (status) => {
    const seen: string[] = [];
    const { port } = await server(async ({ command, env, stdin, stdout, stderr }) => {
      seen.push(command, env['TESTVAR'] ?? '');
      stdout.write('out:');
      for await (const chunk of stdin) stdout.write(chunk);
      stderr.write('err');
      return status;
    });
    const executor = executorTo(`127.0.0.1:${port}`);
    const command = `foo 'bar' "baz"`;
    const ended = executor.run(command, {
      stdin: 'in',
      env: { TESTVAR: 'value' },
      timeoutMs: 5_000,
      signal: never,
    });
    if (status === 0) expect(await ended).toEqual({ stdout: 'out:in', stderr: 'err' });
    else {
      await expect(ended).rejects.toMatchObject({
        code: 'exit',
        exitCode: status,
        stdout: 'out:in',
        stderr: 'err',
      });
    }
    expect(seen).toEqual([command, 'value']);
  });

  it('that is refused by the host verifier never reaches the server (T-70, X-5)', async () => {
    const seen: string[] = [];
    const { port } = await server(({ command }) => {
      seen.push(command);
      return Promise.resolve(0);
    });
    const executor = executorTo(`127.0.0.1:${port}`, () => Promise.reject(new Error('bad instance secret')));
    await expect(executor.run('true', { timeoutMs: 5_000, signal: never })).rejects.toMatchObject({
      code: 'host-key',
      message: 'the host was not accepted: bad instance secret',
    });
    expect(seen).toEqual([]);
  });

  it('finds its way by default port and by the address that is set last (T-71, X-4)', async () => {
    const { port } = await server();
    const closed = await rawServer(() => {});
    const executor = executorTo('');
    expect(await codeOf(executor.run('true', { timeoutMs: 5_000, signal: never }))).toBe('no-address');
    executor.setTarget({ address: '127.0.0.1:1', remoteUser: 'root' });
    expect(await codeOf(executor.run('true', { timeoutMs: 5_000, signal: never }))).toBe('refused');
    executor.setTarget({ address: `127.0.0.1:${port}`, remoteUser: 'root' });
    expect(await codeOf(executor.run('true', { timeoutMs: 5_000, signal: never }))).toBe('ok');
    expect(closed).toContain('127.0.0.1');
  });

  it('goes over a new connection after the old one broke, without asking for the same key again (T-73, X-7)', async () => {
    let verified = 0;
    const first = await server();
    const executor = executorTo(`127.0.0.1:${first.port}`, () => {
      verified++;
      return Promise.resolve();
    });
    await executor.run('true', { timeoutMs: 5_000, signal: never });
    await first.close();
    await server(undefined, hostKey.privateKey, first.port);
    await executor.run('true', { timeoutMs: 5_000, signal: never });
    expect(verified).toBe(1);
  });

  it('is not sent to a host whose key changed before it is proven anew (DW-14)', async () => {
    const keys: Uint8Array[] = [];
    const first = await server();
    const executor = executorTo(`127.0.0.1:${first.port}`, (key) => {
      keys.push(key);
      return keys.length > 1 ? Promise.reject(new Error('other host')) : Promise.resolve();
    });
    await executor.run('true', { timeoutMs: 5_000, signal: never });
    await first.close();
    const other = generateKeyPair();
    await server(undefined, other.privateKey, first.port);
    expect(await codeOf(executor.run('true', { timeoutMs: 5_000, signal: never }))).toBe('host-key');
    expect(Buffer.from(keys[1]!).equals(rawPublicKeyOf(other.privateKey))).toBe(true);
  });

  it('whose connection breaks has an unknown outcome', async () => {
    const { port } = await server(
      ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(0))),
    );
    const executor = executorTo(`127.0.0.1:${port}`);
    const ended = codeOf(executor.run('sleep', { timeoutMs: 5_000, signal: never }));
    await expect.poll(() => closers.length).toBeGreaterThan(1);
    await new Promise((resolve) => setImmediate(resolve));
    await executor.run('x', { timeoutMs: 200, signal: never }).catch(() => {});
    for (const close of closers.splice(0).reverse()) await close();
    expect(await ended).toBe('closed');
  });

  it('is ended by its deadline and by its signal (K-3)', async () => {
    const { port } = await server(
      ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(0))),
    );
    const executor = executorTo(`127.0.0.1:${port}`);
    expect(await codeOf(executor.run('sleep', { timeoutMs: 50, signal: never }))).toBe('timeout');
    expect(await codeOf(executor.run('sleep', { timeoutMs: 5_000, signal: AbortSignal.timeout(50) }))).toBe(
      'aborted',
    );
  });

  it('that prints too much is cut off', async () => {
    const { port } = await server(async ({ stdout, signal }) => {
      const block = Buffer.alloc(65_536, 'x');
      while (!signal.aborted) {
        if (!stdout.write(block))
          await new Promise(
            (resolve) => (stdout.once('drain', resolve), signal.addEventListener('abort', resolve)),
          );
      }
      return 0;
    });
    const executor = executorTo(`127.0.0.1:${port}`);
    expect(await codeOf(executor.run('yes', { timeoutMs: 20_000, signal: never }))).toBe('too-much-output');
  });

  it('takes a large stdin', async () => {
    const { port } = await server(async ({ stdin, stdout }) => {
      let bytes = 0;
      for await (const chunk of stdin) bytes += (chunk as Buffer).length;
      stdout.write(String(bytes));
      return 0;
    });
    const executor = executorTo(`127.0.0.1:${port}`);
    const stdin = new Uint8Array(5_000_000);
    expect((await executor.run('wc', { stdin, timeoutMs: 20_000, signal: never })).stdout).toBe('5000000');
  });
});

describe('many commands', () => {
  it('share the connection, four at a time (X-1)', async () => {
    let now = 0;
    let most = 0;
    const started = await server(async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return 0;
    });
    const executor = executorTo(`127.0.0.1:${started.port}`);
    await Promise.all(
      Array.from({ length: 20 }, () => executor.run('true', { timeoutMs: 5_000, signal: never })),
    );
    expect(most).toBeLessThanOrEqual(4);
    expect(started.connections).toBe(1);
  });
});

describe('a peer that is no instance', () => {
  it('is a protocol error when it speaks HTTP', async () => {
    const http = createHttpServer((_request, response) => response.end('hello'));
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => (http.closeAllConnections(), http.close(resolve))));
    const executor = executorTo(`127.0.0.1:${(http.address() as AddressInfo).port}`);
    expect(await codeOf(executor.run('true', { timeoutMs: 5_000, signal: never }))).toBe('protocol');
  });

  it('runs into the deadline when it is silent (K-3)', async () => {
    const sockets: Socket[] = [];
    const address = await rawServer((socket) => sockets.push(socket));
    closers.push(() => Promise.resolve(sockets.forEach((socket) => socket.destroy())));
    const executor = executorTo(address, accept, 100);
    expect(await codeOf(executor.run('true', { timeoutMs: 5_000, signal: never }))).toBe('timeout');
  });

  it('is refused when it hangs up at once', async () => {
    const address = await rawServer((socket) => socket.resetAndDestroy());
    const executor = executorTo(address);
    expect(['refused', 'protocol']).toContain(
      await codeOf(executor.run('true', { timeoutMs: 5_000, signal: never })),
    );
  });

  it('refuses another login key as an authentication failure (X-3)', async () => {
    const started = await startSshServer({
      host: '127.0.0.1',
      port: 0,
      hostKey: hostKey.privateKey,
      authorizedKeys: [generateKeyPair().publicKey],
      run: () => Promise.resolve(0),
    });
    closers.push(() => started.close());
    const executor = executorTo(`127.0.0.1:${started.port}`);
    await expect(executor.run('true', { timeoutMs: 5_000, signal: never })).rejects.toMatchObject({
      code: 'auth',
      message: expect.stringContaining('unable to authenticate') as string,
    });
  });
});

describe('a stream', () => {
  it('gives lines as they come and tells when the connection broke', async () => {
    const started = await server(async ({ stdout, signal }) => {
      stdout.write('one\ntwo\n');
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return 0;
    });
    const executor = executorTo(`127.0.0.1:${started.port}`);
    const { lines } = await executor.open('watch', { signal: never });
    const iterator = lines[Symbol.asyncIterator]();
    expect([(await iterator.next()).value, (await iterator.next()).value]).toEqual(['one', 'two']);
    const next = iterator.next();
    await started.close();
    await expect(next).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('a stream of much text', () => {
  it('comes in few pieces, whole', async () => {
    const lines = Array.from({ length: 100_000 }, (_, index) => `line ${index} — of a container\n`).join('');
    const { port } = await server(async ({ stdout }) => {
      await new Promise<void>((resolve) => stdout.write(lines, () => resolve()));
      return 0;
    });
    const { text } = await executorTo(`127.0.0.1:${port}`).open('tail', {
      signal: new AbortController().signal,
    });
    const pieces: string[] = [];
    for await (const piece of text!) pieces.push(piece);
    expect(pieces.join('') === lines).toBe(true);
    expect(pieces.length).toBeLessThan(1_000);
  });

  it('holds the command up while nobody reads, and nobody else', async () => {
    let written = 0;
    const block = 'x'.repeat(65_536);
    const { port } = await server(async ({ command, stdout, signal }) => {
      if (command === 'true') return 0;
      while (!signal.aborted) {
        written += block.length;
        if (!stdout.write(block)) await Promise.race([once(stdout, 'drain'), once(signal, 'abort')]);
      }
      return 0;
    });
    const executor = executorTo(`127.0.0.1:${port}`);
    const abort = new AbortController();
    const { text } = await executor.open('yes', { signal: abort.signal });
    const reader = text![Symbol.asyncIterator]();
    await reader.next();
    for (let each = 0; each < 100; each++) await executor.run('true', { timeoutMs: 5_000, signal: never });
    expect(written).toBeLessThan(8 * 2 ** 20);
    abort.abort();
    for (let rest = await reader.next(); !rest.done; rest = await reader.next());
  });
});

describe('a closed executor', () => {
  it('refuses commands for good (X-11, K-21)', async () => {
    const { port } = await server();
    const executor = executorTo(`127.0.0.1:${port}`);
    await executor.run('true', { timeoutMs: 5_000, signal: never });
    await executor.close();
    expect(await codeOf(executor.run('true', { timeoutMs: 5_000, signal: never }))).toBe('closed');
  });
});
