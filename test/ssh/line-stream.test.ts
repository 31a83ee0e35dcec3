import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import { instanceLimits } from '../../src/domain/instance-limits.js';
import type { Executor, ExecutorError, StreamLimits } from '../../src/ssh/executor.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { LineSplitter } from '../../src/ssh/line-splitter.js';
import { createExecutorFactory } from '../../src/ssh/ssh-executor.js';
import { lies, LyingServer, type Behaviour } from '../support/lying-server.js';

const login = generateKeyPair();
const signal = new AbortController().signal;
const limits: StreamLimits = {
  lineBytes: instanceLimits.lineBytes,
  bytesPerSecond: instanceLimits.streamBytesPerSecond,
  burstBytes: instanceLimits.streamBurstBytes,
};
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function watching(behaviour: Behaviour): Promise<{ executor: Executor; server: LyingServer }> {
  const server = await LyingServer.start({ authorizedKey: login.publicKey });
  server.lie('watch', behaviour);
  const executor = createExecutorFactory({
    privateKey: login.privateKey,
    defaultPort: '22',
    connectTimeoutMs: 10_000,
    keepaliveIntervalMs: 0,
    clock: systemClock,
    maxHandshakes: 8,
    maxChannels: 4,
  })({ address: server.address, remoteUser: 'root' }, () => Promise.resolve(), {
    connected: () => {},
    verified: () => {},
    lost: () => {},
  });
  closers.push(
    () => server.close(),
    () => executor.close(),
  );
  return { executor, server };
}

/** All lines until the end, and the error it ended with. */
async function readAll(executor: Executor): Promise<{ count: number; error: ExecutorError | undefined }> {
  let count = 0;
  try {
    const { lines } = await executor.open('runner --watch', { signal, limits });
    for await (const line of lines) if (line !== '') count++;
  } catch (error) {
    return { count, error: error as ExecutorError };
  }
  return { count, error: undefined };
}

describe('a stream that the daemon follows', () => {
  it('ends at a line that is longer than the limit, with the limit in its error', async () => {
    const { executor } = await watching(lies.saysAndWaits(`attached\n${'x'.repeat(5_000)}`));
    const { count, error } = await readAll(executor);
    expect([count, error?.code, error?.breach]).toEqual([1, 'too-much-output', 'line']);
    expect(error?.message).toContain(String(limits.lineBytes));
  });

  it('costs less than 2 MB of memory when a line never ends', async () => {
    const { executor } = await watching(lies.endlessLine);
    await executor.run('true', { timeoutMs: 10_000, signal });
    globalThis.gc?.();
    const before = process.memoryUsage();
    let most = 0;
    const reading = readAll(executor);
    let isOver = false;
    void reading.then(() => (isOver = true));
    while (!isOver) {
      const { heapUsed, external } = process.memoryUsage();
      most = Math.max(most, heapUsed + external - before.heapUsed - before.external);
      await turn();
    }
    expect((await reading).error?.breach).toBe('line');
    expect(most).toBeLessThan(2 * 1_024 * 1_024);
  });

  it.each([
    ['lines', lies.repeats('alive')],
    ['errors', lies.endlessErrors],
  ])('ends when %s come faster than the limit', async (_, behaviour) => {
    const { executor } = await watching(behaviour);
    const { error } = await readAll(executor);
    expect([error?.code, error?.breach]).toEqual(['too-much-output', 'rate']);
  });

  it('gives few of many lines that came at once in one turn of the event loop', async () => {
    const { executor } = await watching(lies.saysAndWaits('alive\n'.repeat(200)));
    const { lines } = await executor.open('runner --watch', { signal, limits });
    let count = 0;
    let most = 0;
    let isOver = false;
    const reading = (async () => {
      for await (const _line of lines) {
        for (const until = performance.now() + 1; performance.now() < until;);
        if (++count === 200) break;
      }
    })().finally(() => (isOver = true));
    while (!isOver) {
      const before = count;
      await turn();
      most = Math.max(most, count - before);
    }
    await reading;
    expect(count).toBe(200);
    expect(most).toBeLessThanOrEqual(16);
  });

  it('closes its channel at the instance when it broke a limit, and leaves the connection as it is', async () => {
    let isClosed = false;
    const { executor, server } = await watching(async (request, honest) => {
      request.signal.addEventListener('abort', () => (isClosed = true));
      return lies.endlessLine(request, honest);
    });
    await readAll(executor);
    await expect.poll(() => isClosed).toBe(true);
    await executor.run('runner --list', { timeoutMs: 10_000, signal });
    expect(server.asked).toEqual(['watch', 'list']);
  });
});

describe('a line splitter', () => {
  it('splits pieces into lines, without returns, and gives the rest', () => {
    const splitter = new LineSplitter(10);
    const lines = ['a', 'b\r\n', '\ncd', '\ne'].flatMap((piece) => [...splitter.push(Buffer.from(piece))]);
    expect(lines.map(({ line }) => line.toString())).toEqual(['ab', '', 'cd']);
    expect(splitter.rest()).toEqual({ line: Buffer.from('e'), isCut: false });
    expect(splitter.rest()).toBeUndefined();
  });

  it('cuts a line at the limit, says so, and goes on with the next', () => {
    const splitter = new LineSplitter(3);
    expect([...splitter.push(Buffer.from('abc'))]).toEqual([]);
    expect(splitter.isTooLong).toBe(false);
    expect([...splitter.push(Buffer.from('defg'))]).toEqual([]);
    expect(splitter.isTooLong).toBe(true);
    const lines = [...splitter.push(Buffer.from('\nxy\n'))];
    expect(lines.map(({ line, isCut }) => [line.toString(), isCut])).toEqual([
      ['abc', true],
      ['xy', false],
    ]);
  });
});
