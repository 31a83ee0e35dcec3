import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ForecastParts } from '../../src/cli/simulate-command.js';
import type { CloudTestDeps } from '../../src/cli/cloudtest-command.js';
import { runCommand } from '../support/command-line.js';
import { FakeTerminal } from '../support/fake-terminal.js';
import { startStubDaemon, type StubDaemon } from '../support/stub-daemon.js';

const uuid = (number: number): string => `zzzzz-dz642-${String(number).padStart(15, '0')}`;
const container = (number: number, change: Record<string, unknown>): Record<string, unknown> => ({
  uuid: uuid(number),
  name: `a name that somebody made long, number ${number}`,
  state: 'Complete',
  priority: '9223372036854775807',
  instance: 'i-0123456789abcdef0',
  instanceType: 'm5.large',
  exitCode: 0,
  error: '',
  cost: 0.1,
  wait: null,
  ...change,
});
const wait = {
  code: 'quota',
  text: 'Position 117 in the queue: the instance quota is reached, and every instance runs other containers.',
  position: 117,
  unblocks: 'An instance terminates, or the provider quota or `pool.maxInstances` is raised.',
};
const containers = [
  container(1, { state: 'Queued', exitCode: null, instance: '', wait }),
  container(2, { exitCode: 127, error: 'sh: 1: no-such-program-with-a-long-name: not found' }),
  container(3, {}),
];
const instances = [
  {
    instance: '/subscriptions/00000000-0000-0000-0000-000000000000/vm-42',
    launch: 'l',
    address: '[2001:db8:85a3::8a2e:370:7334]:22',
    type: 'a-type-with-a-long-name.24xlarge.spot',
    providerType: 'x',
    state: 'booting',
    bootStage: 'connected',
    isOrphan: false,
    idleBehavior: 'run',
    price: 0.1,
    containers: [uuid(1), uuid(2), uuid(3)],
    appearedAt: '2026-01-01T11:58:30Z',
  },
];
const rebooted = {
  ...instances[0],
  instance: 'i-rebooted',
  state: 'idle',
  bootStage: null,
  isBeingSetUp: true,
  containers: [],
};
const breaker = {
  key: 'capacity: type a-type-with-a-long-name.24xlarge.spot',
  state: 'open',
  reason:
    'InsufficientInstanceCapacity: We currently do not have sufficient capacity in the Availability Zone',
  until: '2026-01-01T12:00:00.000Z',
};
const fleet = {
  at: '2026-01-01T12:00:00.000Z',
  version: '1',
  instances: { booting: 1 },
  costPerHour: 1,
  containers: { Queued: 1, Complete: 2 },
  failed: 1,
  waits: [{ code: 'quota', count: 1, example: wait.text }],
  atQuota: true,
  breakers: [breaker],
  health: 'OK',
};

const cloudTest = {
  interrupted: () => new AbortController().signal,
  run: () =>
    Promise.resolve({
      ok: true,
      driver: 'ec2',
      instanceType: 'm5.large',
      left: [],
      steps: [
        { step: 'create an instance', zone: 'us-east-1a', ok: true, durationMs: 61_234, detail: wait.text },
      ],
    }),
} as unknown as CloudTestDeps;
const hour = ['0', '$0.1234', '1000', '1000', '100000', '12345'];
const forecastParts = (): Promise<ForecastParts> =>
  Promise.resolve({
    forecast: () => {
      const run = { config: '/etc/longshore/a-configuration-with-a-long-name.yaml', violations: [] };
      return Promise.resolve({ runs: [run, run, run], notes: [] });
    },
    tables: {
      summaryRows: () => [
        ['from request to end p50, p90, p99, max', ...Array.from({ length: 3 }, () => wait.text)],
      ],
      hourHead: ['hour', 'cost', 'instances', 'running', 'waiting', 'calls/min'],
      hourRows: () => [hour],
    },
  } as unknown as ForecastParts);
const stores = {
  migrate: () => Promise.reject(new Error('not asked for here')),
  copy: () =>
    Promise.resolve({ from: 'a', to: 'b', rows: { ['a_table_with_a_long_name_'.repeat(4)]: 123_456_789 } }),
};

describe('tables on a terminal', () => {
  let stub: StubDaemon;
  beforeAll(async () => {
    stub = await startStubDaemon(({ path }) => {
      const replies: Record<string, unknown> = {
        '/v1/containers': { items: containers, next: null },
        '/v1/instances': { items: [...instances, rebooted], next: null },
        '/v1/breakers': { items: [breaker] },
        '/v1/fleet': fleet,
      };
      for (const each of containers.slice(1)) replies[`/v1/containers/${String(each['uuid'])}`] = each;
      return path in replies ? { body: replies[path] } : undefined;
    });
  });
  afterAll(() => stub.close());

  const run = async (
    argv: readonly string[],
    columns?: number,
  ): Promise<{ lines: string[]; out: string; err: string }> => {
    const terminal = new FakeTerminal(columns !== undefined);
    if (columns !== undefined) terminal.resize(columns, 40);
    const deps = { terminal, cloudTest, forecastParts, stores };
    const { output, exitCode } = runCommand(stub, argv, deps);
    await exitCode;
    // eslint-disable-next-line no-control-regex -- colors take no place
    const plain = output.out.replace(/\u001b\[[0-9;]*m/g, '');
    return { lines: plain.split('\n'), out: plain, err: output.err };
  };

  const commands: string[][] = [
    ['queue'],
    ['instances'],
    ['breakers'],
    ['wait', uuid(2), uuid(3)],
    ['top', '--once'],
    ['-c', 'x', 'cloudtest'],
    ['-c', 'x', 'simulate', '--workload', 'w', '--by-hour'],
    ['-c', 'x', 'store', 'copy'],
  ];
  for (const argv of commands) {
    it.each([140, 80, 60])(`fit: ${argv.join(' ')} in %i columns`, async (columns) => {
      const { lines, out, err } = await run(argv, columns);
      expect([out.length > 20, err.includes('longshore:')]).toEqual([true, false]);
      expect(lines.filter((line) => line.length > columns)).toEqual([]);
      const frames = lines.filter((line) => /^[┌├└]/.test(line));
      const firstFrame = lines.findIndex((line) => line.startsWith('┌'));
      // Every row is one line: between two frames there is one row.
      if (firstFrame >= 0) expect(frames.length).toBeGreaterThanOrEqual(3);
      for (const [index, line] of lines.entries())
        if (line.startsWith('│')) expect(lines[index + 1]).toMatch(/^[├└]/);
    });
  }

  it('keep identifiers and states whole where they are narrow, and name what is left out', async () => {
    const { out, err } = await run(['queue'], 60);
    for (const { uuid: id } of containers) expect(out).toContain(id);
    expect(out).toContain('Failed (exit 127)');
    expect(err).toContain('goes on with');
    expect(err).toContain('--wide');
  });

  it('show everything with --wide, and on a pipe', async () => {
    for (const { out, err } of [await run(['queue', '--wide'], 60), await run(['queue'])]) {
      expect(out).toContain(wait.text);
      expect(out).toContain(wait.unblocks);
      expect(err).toBe('');
    }
    const { out } = await run(['top', '--once']);
    expect(out).toContain(instances[0]!.containers.join(' '));
  });

  it('show an instance that is set up again after a reboot as such', async () => {
    expect((await run(['instances'])).out).toContain('i-rebooted\tidle (being set up again)');
  });

  it('leave JSON as it is', async () => {
    const { out } = await run(['queue', '--json'], 60);
    expect(JSON.parse(out)).toEqual({ items: containers, next: null });
  });

  it('show a container that ended with another exit code than 0 as failed, which the API calls Complete', async () => {
    expect((await run(['wait', uuid(2)])).out).toContain(`${uuid(2)}\tFailed (exit 127)\t127`);
    expect((await run(['top', '--once'])).out).toContain('containers  1 Queued, 1 Complete, 1 Failed');
  });
});
