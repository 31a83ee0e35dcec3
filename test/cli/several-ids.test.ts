import { afterEach, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command-line.js';
import { startStubDaemon, type StubDaemon } from '../support/stub-daemon.js';

describe('commands that take several ids', () => {
  let stub: StubDaemon;
  afterEach(() => stub.close());

  const orders = [
    ...['hold', 'drain', 'run', 'kill'].flatMap((order) => [[order], ['instance', order]]),
    ['cancel'],
    ['breakers', 'reset'],
  ];
  it.each(orders.map((words) => [words.join(' '), words] as const))(
    '%s: every one is tried, and the exit status says that one failed',
    async (_name, words) => {
      stub = await startStubDaemon(({ path, body }) => {
        const isGone = path.includes('/gone/') || (body as { key?: string }).key === 'gone';
        if (isGone) return { status: 409, body: { errors: ['it has ended'] } };
        return { body: { state: 'Cancelled' } };
      });
      const { exitCode, output } = runCommand(stub, [...words, 'gone', 'b', 'c', 'b']);
      expect(await exitCode).toBe(1);
      expect(stub.requests).toHaveLength(3);
      expect(output.err).toContain('gone: it has ended\n');
      for (const id of ['b', 'c']) expect(output.out + output.err).toMatch(new RegExp(`^${id}[:\t]`, 'm'));
      const good = runCommand(stub, [...words, 'b', 'c']);
      expect(await good.exitCode).toBe(0);
    },
  );

  it('wait: one that the daemon does not know ends no wait for the others', async () => {
    let looks = 0;
    stub = await startStubDaemon(({ path }) => {
      if (path.endsWith('/unknown')) return undefined;
      const state = ++looks < 3 ? 'Running' : 'Complete';
      return {
        body: { uuid: path.split('/').at(-1), state, exitCode: state === 'Running' ? null : 0, error: '' },
      };
    });
    const { exitCode, output } = runCommand(stub, ['wait', 'unknown', 'b']);
    expect(await exitCode).toBe(1);
    expect(output.out).toContain('b\tComplete\t0');
    expect(output.err).toContain('unknown: not found');
  });

  it('ends at once when the daemon refuses the token, which it would for all of them', async () => {
    stub = await startStubDaemon(() => ({ status: 403, body: 'Forbidden' }));
    const { exitCode, output } = runCommand(stub, ['cancel', 'a', 'b']);
    expect([await exitCode, stub.requests.length]).toEqual([4, 1]);
    expect(output.err).toContain('refused');
  });
});
