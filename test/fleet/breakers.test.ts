import { describe, expect, it } from 'vitest';
import type { InstanceType } from '../../src/domain/instance-type.js';
import type { CreateOutcome } from '../../src/machines/cloud-effects.js';
import { settle } from '../../src/simulation/heap-clock.js';
import { PoolWorld } from '../support/pool-world.js';
import { typeT } from '../support/scheduling-world.js';

const because = 'test';
const lacking = (scope: 'type' | 'group' | 'zone' | 'all'): Promise<CreateOutcome> =>
  Promise.resolve({ ok: false, error: { code: 'capacity', message: `no ${scope}`, scope } });
const t1 = typeT(1);
const spot = typeT(1, { name: 't1.spot', preemptible: true });
const t2 = typeT(2);

/** A pool with two places, and where each create call went. */
async function zoned(types: InstanceType[]): Promise<{ world: PoolWorld; asked: string[] }> {
  const world = await new PoolWorld({ types, zones: ['a', 'b'] }).start();
  const asked: string[] = [];
  world.answer = (request) => {
    asked.push(`${request.instanceType.name} ${request.zone}`);
    return request.zone === 'a'
      ? lacking('type')
      : Promise.resolve({ ok: true, instance: world.make(request) });
  };
  return { world, asked };
}

async function create(world: PoolWorld, type: InstanceType): Promise<string> {
  const answer = world.pool.create(type, because);
  await settle();
  return typeof answer === 'string' ? answer : 'asked';
}

/** An instance of the type that never answers until its time is up. */
async function failBoot(world: PoolWorld, type: InstanceType): Promise<void> {
  world.probe = () => ({
    ok: false,
    code: 'x',
    message: 'x',
    stdout: '',
    stderr: '',
    expected: true,
    durationMs: 1,
  });
  expect(await create(world, type)).toBe('asked');
  const [id] = [...world.cloud.keys()].slice(-1);
  await world.clock.advance(60_000);
  await world.visit(id!);
  await world.sync();
}

describe('breakers of capacity', () => {
  it('go on to the next place, for this type and kind only', async () => {
    const { world, asked } = await zoned([t1, spot]);
    for (const type of [t1, t1, spot]) await create(world, type);
    expect(asked).toEqual(['t1 a', 't1 b', 't1.spot a']);
    expect(world.pool.breakers().map(({ key }) => key)).toEqual([
      'capacity: type pt1 in a',
      'capacity: type pt1-preemptible in a',
    ]);
    expect([world.pool.atCapacity(t1), world.pool.atCapacity(spot)]).toEqual([false, false]);
  });

  it('call a type unavailable once every place lacks it', async () => {
    const { world } = await zoned([t1]);
    world.answer = () => lacking('type');
    expect([await create(world, t1), await create(world, t1), await create(world, t1)]).toEqual([
      'asked',
      'asked',
      'capacity',
    ]);
  });

  it('keep a full place from all types, and a full group from its types in all places', async () => {
    const { world, asked } = await zoned([t1, t2]);
    world.answer = (request) => {
      asked.push(`${request.instanceType.name} ${request.zone}`);
      return lacking(request.zone === 'a' ? 'zone' : 'group');
    };
    for (const type of [t1, t2, t1]) await create(world, type);
    expect(asked).toEqual(['t1 a', 't2 b']);
    expect(world.pool.breakers().map(({ key }) => key)).toEqual(['capacity: zone a', 'capacity: group ']);
  });

  it('let one trial decide, and then the preferred place comes back', async () => {
    const { world, asked } = await zoned([t1]);
    await create(world, t1);
    await world.clock.advance(60_000);
    world.answer = (request) => {
      asked.push(`${request.instanceType.name} ${request.zone}`);
      return new Promise(() => {});
    };
    for (let each = 0; each < 2; each++) await create(world, t1);
    expect(asked.slice(1)).toEqual(['t1 a', 't1 b']);
    expect(world.pool.breakers()).toMatchObject([{ key: 'capacity: type pt1 in a', state: 'probing' }]);
  });
});

describe('calls that overlap', () => {
  const quota: CreateOutcome = { ok: false, error: { code: 'quota', message: 'too many' } };

  /** Create calls that wait until the test answers them. */
  async function overlapping(): Promise<{ world: PoolWorld; answers: ((outcome: CreateOutcome) => void)[] }> {
    const world = await new PoolWorld({ types: [t1] }).start();
    const answers: ((outcome: CreateOutcome) => void)[] = [];
    world.answer = () => new Promise((resolve) => answers.push(resolve));
    return { world, answers };
  }

  it('grow the fleet as soon as an instance is gone, though one was accepted after a quota error (L-12, L-14)', async () => {
    const { world, answers } = await overlapping();
    const [late, refused] = [world.pool.create(t1, because), world.pool.create(t1, because)];
    expect([typeof late, typeof refused]).toEqual(['object', 'object']);
    await settle();
    answers[1]!(quota);
    await settle();
    answers[0]!({ ok: true, instance: world.add('i-late', t1) });
    await settle();
    expect(world.pool.atQuota()).toBe(true);
    world.pool.killInstance('i-late', because);
    await settle();
    await world.sync();
    expect([world.pool.instances(), world.pool.atQuota(), world.pool.creatable()]).toEqual([[], false, 1]);
  });

  it('leave quota undecided when the trial fails for another reason (K-10)', async () => {
    const { world, answers } = await overlapping();
    await create(world, t1);
    answers[0]!(quota);
    await settle();
    await world.clock.advance(60_000);
    await create(world, t1);
    answers[1]!({ ok: false, error: { code: 'unavailable', message: 'no answer' } });
    await settle();
    expect(world.pool.breakers()).toMatchObject([{ key: 'quota', state: 'halfOpen' }]);
    expect(world.pool.creatable()).toBe(1);
  });

  it('begin the next trial at once when the first is told of a time that has passed (L-19)', async () => {
    const { world, answers } = await overlapping();
    const paced = (inMs: number): CreateOutcome => {
      const retryAt = world.clock.now() + inMs;
      return { ok: false, error: { code: 'rate-limited', message: 'slow down', retryAt } };
    };
    await create(world, t1);
    answers[0]!(paced(5_000));
    await settle();
    await world.clock.advance(5_000);
    await create(world, t1);
    answers[1]!(paced(-1));
    await settle();
    expect(world.pool.creatable()).toBe(1);
  });

  it('double the pause with each refused trial, up to half an hour (K-10)', async () => {
    const { world, answers } = await overlapping();
    const pauses: number[] = [];
    for (let each = 0; each < 7; each++) {
      expect(await create(world, t1)).toBe('asked');
      answers.pop()!({ ok: false, error: { code: 'capacity', message: 'none', scope: 'all' } });
      await settle();
      const { until } = world.pool.breakers()[0]!;
      pauses.push((until! - world.clock.now()) / 60_000);
      await world.clock.advance(until! - world.clock.now());
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30]);
  });
});

describe('protected mode', () => {
  it('asks for nothing after too many failed boots in a row, then tries one, with longer and longer pauses', async () => {
    const world = await new PoolWorld({ types: [t1], bootFailureLimit: 3 }).start();
    for (let each = 0; each < 3; each++) await failBoot(world, t1);
    expect(world.pool.protection()?.because).toContain('3 instances in a row');
    expect([world.pool.creatable(), await create(world, t1)]).toEqual([0, 'capacity']);
    await world.clock.advance(600_000);
    expect([world.pool.protection(), world.pool.creatable()]).toEqual([undefined, 1]);
    await failBoot(world, t1);
    const { until } = world.pool.protection()!;
    expect(until! - world.clock.now()).toBeGreaterThan(600_000);
    expect(world.pool.breakers().map(({ key }) => key)).toEqual(['boot: all', 'boot: type t1']);
  });

  it('ends with a boot that succeeds', async () => {
    const world = await new PoolWorld({ types: [t1], bootFailureLimit: 1 }).start();
    await failBoot(world, t1);
    await world.clock.advance(600_000);
    world.probe = () => ({
      ok: true,
      durationMs: 1,
      listing: { live: [], stale: [], ended: [], broken: false, interruption: '' },
    });
    await create(world, t1);
    expect(world.pool.creatable()).toBe(0);
    await world.visit([...world.cloud.keys()].at(-1)!);
    expect([world.pool.creatable(), world.pool.breakers()]).toEqual([Infinity, []]);
  });

  it('spares the types that boot', async () => {
    const world = await new PoolWorld({ types: [t1, t2], bootFailureLimit: 2 }).start();
    await failBoot(world, t1);
    world.probe = () => ({
      ok: true,
      durationMs: 1,
      listing: { live: [], stale: [], ended: [], broken: false, interruption: '' },
    });
    await create(world, t2);
    await world.visit([...world.cloud.keys()].at(-1)!);
    await failBoot(world, t1);
    expect([world.pool.atCapacity(t1), world.pool.atCapacity(t2), world.pool.protection()]).toEqual([
      true,
      false,
      undefined,
    ]);
  });

  it('opens at the word of an operator, and counts anew', async () => {
    const world = await new PoolWorld({ types: [t1], bootFailureLimit: 2 }).start();
    for (let each = 0; each < 2; each++) await failBoot(world, t1);
    for (const { key } of world.pool.breakers()) expect(world.pool.resetBreaker(key)).toBe(true);
    expect(world.pool.creatable()).toBe(Infinity);
    await failBoot(world, t1);
    expect(world.pool.protection()).toBeUndefined();
    await failBoot(world, t1);
    expect(world.pool.protection()).toBeDefined();
  });

  it('does not take a boot that was called off for a failed one', async () => {
    const world = await new PoolWorld({ types: [t1], bootFailureLimit: 1 }).start();
    await create(world, t1);
    world.pool.killInstance([...world.cloud.keys()].at(-1)!, because);
    await settle();
    expect(world.pool.protection()).toBeUndefined();
  });

  it('lets another trial begin when the provider refused the first', async () => {
    const world = await new PoolWorld({ types: [t1], bootFailureLimit: 1 }).start();
    await failBoot(world, t1);
    await world.clock.advance(600_000);
    world.answer = () => lacking('type');
    expect(await create(world, t1)).toBe('asked');
    await world.clock.advance(60_000);
    expect(world.pool.creatable()).toBe(1);
  });
});
