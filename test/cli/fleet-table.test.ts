import { describe, expect, it } from 'vitest';
import type { FleetNow } from '../../src/cli/fleet-follower.js';
import { fleetPicture, type PictureOptions } from '../../src/cli/fleet-table.js';
import type { InstanceBody } from '../../src/cli/wire.js';

const nowMs = Date.parse('2026-01-01T12:00:00Z');

const instance = (change: Partial<InstanceBody>): InstanceBody => ({
  instance: 'i-1',
  launch: '',
  address: '10.0.0.1',
  type: 'small',
  providerType: 'x',
  state: 'idle',
  bootStage: null,
  isOrphan: false,
  idleBehavior: 'run',
  price: 0.1,
  containers: [],
  appearedAt: '2026-01-01T11:58:30Z',
  ...change,
});

const now = (instances: InstanceBody[], change: Partial<FleetNow['fleet']> = {}): FleetNow => ({
  instances,
  fleet: {
    at: '2026-01-01T12:00:00.000Z',
    version: '9.9',
    instances: { running: 1, idle: 2 },
    costPerHour: 1.5,
    containers: { Queued: 3 },
    waits: [],
    atQuota: false,
    breakers: [],
    health: 'OK',
    ...change,
  },
});

const options: PictureOptions = {
  columns: 160,
  rows: 100,
  order: 'state',
  hasColor: false,
  nowMs,
  trouble: '',
};

describe('the picture of the fleet', () => {
  it('tells figures, waits and what is held off above the instances', () => {
    const picture = fleetPicture(
      now([instance({})], {
        waits: [{ code: 'capacity', count: 12, example: 'no capacity for small' }],
        breakers: [{ key: 'quota', state: 'open', reason: 'the region is full', until: null }],
        atQuota: true,
        health: 'the runner cannot be read',
      }),
      options,
    );
    expect(picture).toEqual([
      'longshore 9.9  1 instances  $1.5000/h  12:00:00',
      'instances   1 running, 2 idle',
      'containers  3 Queued',
      'waiting     12 × no capacity for small',
      'breaker     quota: the region is full',
      'at quota    instance quota reached',
      'health      the runner cannot be read',
      '',
      'INSTANCE  STATE  BEHAVIOR  TYPE   $/H     AGE    ADDRESS   CONTAINERS',
      'i-1       idle   run       small  0.1000  1m30s  10.0.0.1  -',
    ]);
  });

  const mixed = [
    instance({ instance: 'i-3', state: 'shutdown', price: 3, appearedAt: '2026-01-01T10:00:00Z' }),
    instance({ instance: 'i-2', state: 'running', price: 1, containers: ['c-1', 'c-2'] }),
    instance({
      instance: '',
      launch: 'launch-7',
      state: 'booting',
      bootStage: 'requested',
      appearedAt: null,
      price: 2,
    }),
  ];
  it.each([
    ['state', ['i-2', '(launch-7)', 'i-3']],
    ['cost', ['i-3', '(launch-7)', 'i-2']],
    ['age', ['i-3', 'i-2', '(launch-7)']],
    ['name', ['(launch-7)', 'i-2', 'i-3']],
  ] as const)('sorts by %s', (order, expected) => {
    const rows = fleetPicture(now(mixed), { ...options, order }).slice(-3);
    expect(rows.map((row) => row.split(' ')[0])).toEqual(expected);
  });

  it('keeps to the size of the terminal, and tells how many it leaves out', () => {
    const many = Array.from({ length: 50 }, (_, n) =>
      instance({ instance: `i-${n}`, containers: ['c'.repeat(200)] }),
    );
    const picture = fleetPicture(now(many), { ...options, columns: 60, rows: 5 });
    expect(picture.at(-1)).toBe('… and 45 more');
    expect(picture).toHaveLength(3 + 1 + 1 + 5 + 1);
    expect(Math.max(...picture.map((line) => line.length))).toBe(60);
  });

  it('lets no name steer the terminal', () => {
    const evil = '\u001b]0;owned\u0007\u009b31m';
    const picture = fleetPicture(
      now([instance({ instance: evil, type: evil, containers: [evil] })], {
        waits: [{ code: 'x', count: 1, example: evil }],
        health: evil,
      }),
      options,
    );
    // eslint-disable-next-line no-control-regex -- these are what must not be there
    expect(picture.join('\n')).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  it('says so when what it shows is old, and colors states on request', () => {
    const [first] = fleetPicture(now([]), { ...options, trouble: 'no daemon answers' });
    expect(first).toContain('no daemon answers');
    const colored = fleetPicture(now([instance({ state: 'running' })]), { ...options, hasColor: true });
    expect(colored.at(-1)?.startsWith('\u001b[32m')).toBe(true);
    expect(colored.at(-1)?.endsWith('\u001b[0m')).toBe(true);
  });
});
