import { describe, expect, it } from 'vitest';
import type { CreateOutcome } from '../../src/machines/cloud-effects.js';
import { settle } from '../../src/simulation/heap-clock.js';
import { PoolWorld } from '../support/pool-world.js';
import { container, typeT } from '../support/scheduling-world.js';
import { deferred, failure, listing, uuid1 } from '../support/worker-world.js';

const [type1, type2, type3] = [typeT(1), typeT(2), typeT(3)];
const types = [type1, type2, type3];
const because = 'test';
const refuse = (code: 'quota' | 'capacity', scope?: 'type' | 'group'): (() => Promise<CreateOutcome>) => {
  return () => Promise.resolve({ ok: false, error: { code, message: code, scope } });
};

describe('creating instances', () => {
  it('counts create calls under way at once (T-5, T-6, T-7, T-97, L-3, L-31)', async () => {
    const world = await new PoolWorld({ types, maxConcurrentCreates: 2 }).start();
    world.answer = () => new Promise(() => {});
    expect(world.pool.create(type2, because)).toMatchObject({
      instanceId: '',
      workerState: 'booting',
      containerUuids: [],
    });
    world.pool.create(type1, because);
    expect(world.pool.create(type1, because)).toBe('throttled');
    expect(world.pool.instances().map((view) => view.instanceType.name)).toEqual(['t1', 't2']);
  });

  it('makes a booting worker of it, and an idle one when it is probed (T-1, W-10, W-12)', async () => {
    const world = await new PoolWorld({ types }).start();
    world.pool.create(type1, because);
    await settle();
    expect(world.states()).toEqual({ 'i-1': 'booting' });
    await world.visit('i-1');
    expect(world.states()).toEqual({ 'i-1': 'idle' });
  });

  it('knows an instance that the list shows before the call returns, and counts it once (T-57, W-1, K-11)', async () => {
    const world = await new PoolWorld({ types, maxInstances: 2 }).start();
    const slow = deferred<CreateOutcome>();
    world.answer = (request) => {
      world.make(request);
      return slow.promise;
    };
    world.pool.create(type1, because);
    await settle();
    await world.sync();
    expect(world.states()).toEqual({ 'i-1': 'booting' });
    expect(world.pool.atQuota()).toBe(false);
    slow.resolve({ ok: true, instance: world.cloud.get('i-1')! });
    await settle();
    expect(world.states()).toEqual({ 'i-1': 'booting' });
  });

  it('never exceeds the number of instances, pending and leaving ones counted (T-63, L-11, K-40)', async () => {
    const world = await new PoolWorld({ types, maxInstances: 2 }).start();
    world.answer = () => new Promise(() => {});
    expect(typeof world.pool.create(type1, because)).toBe('object');
    expect(typeof world.pool.create(type1, because)).toBe('object');
    expect([world.pool.create(type1, because), world.pool.atQuota()]).toEqual(['quota', true]);
  });

  it('takes an instance of an earlier process whose reply was never heard for its own (W-1)', async () => {
    const world = new PoolWorld({ types, openIntents: ['sha256:earlier'] });
    world.add('i-9', type1, {
      tags: { LongshoreInstanceType: 't1', LongshoreInstanceSecret: 'sha256:earlier' },
    });
    world.add('i-8', type1);
    await world.start();
    expect(world.states()).toEqual({ 'i-8': 'unknown', 'i-9': 'booting' });
  });
});

describe('quota and capacity', () => {
  it('holds off while there are as many instances as at the quota error (T-59, L-12, L-14)', async () => {
    const world = new PoolWorld({ types });
    for (const id of ['a', 'b', 'c']) world.add(id, type1);
    await world.start();
    world.answer = refuse('quota');
    world.pool.create(type1, because);
    await settle();
    expect(world.pool.atQuota()).toBe(true);
    await world.sync();
    expect(world.pool.atQuota()).toBe(true);
    world.pool.killInstance('a', because);
    await world.sync();
    expect(world.pool.atQuota()).toBe(false);
  });

  it('waits a minute when there is no instance that could go (T-61, L-12)', async () => {
    const world = await new PoolWorld({ types }).start();
    world.answer = refuse('quota');
    world.pool.create(type1, because);
    await settle();
    expect([world.pool.atQuota(), world.pool.create(type1, because)]).toEqual([true, 'quota']);
    await world.clock.advance(60_000);
    expect(world.pool.atQuota()).toBe(false);
  });

  it('tries one create after a long time at quota (K-10)', async () => {
    const world = new PoolWorld({ types });
    world.add('a', type1);
    await world.start();
    world.answer = refuse('quota');
    world.pool.create(type1, because);
    await settle();
    await world.clock.advance(600_000);
    expect([world.pool.atQuota(), world.pool.creatable()]).toEqual([false, 1]);
    world.pool.create(type1, because);
    expect(world.pool.atQuota()).toBe(true);
    await settle();
    expect(world.pool.atQuota()).toBe(true);
  });

  it('keeps types, groups and spot apart (T-12, T-13, L-15, L-16, L-17)', async () => {
    const [a1, a2, b3, b4] = ['a1', 'a2', 'b3', 'b4'].map((name, index) =>
      typeT(index + 1, { name, providerType: name }),
    );
    const spot = [a1, b3, b4].map((type) => ({ ...type!, name: `${type!.name}p`, preemptible: true }));
    const all = [a1!, a2!, b3!, b4!, ...spot];
    const quotaGroup = (type: (typeof all)[0]): string =>
      type.providerType[0]! + (type.preemptible ? '-p' : '');
    const world = await new PoolWorld({ types: all, quotaGroup }).start();
    const full = (): string[] => all.filter((type) => world.pool.atCapacity(type)).map(({ name }) => name);
    world.answer = refuse('capacity', 'group');
    world.pool.create(a1!, because);
    await settle();
    expect(full()).toEqual(['a1', 'a2']);
    world.answer = refuse('capacity', 'type');
    world.pool.create(spot[2]!, because);
    await settle();
    expect(full()).toEqual(['a1', 'a2', 'b4p']);
    expect(world.pool.create(a2!, because)).toBe('capacity');
    await world.clock.advance(60_000);
    expect(full()).toEqual([]);
  });

  it('makes no create call before the time the provider named, and tells when it has come (T-14, T-15, L-19)', async () => {
    const world = await new PoolWorld({ types }).start();
    const retryAt = world.clock.now() + 1_000;
    world.answer = () =>
      Promise.resolve({ ok: false, error: { code: 'rate-limited', message: 'slow down', retryAt } });
    world.pool.create(type1, because);
    await settle();
    expect([world.pool.create(type1, because), world.pool.createHeldUntil()]).toEqual(['throttled', retryAt]);
    let told = 0;
    world.pool.subscribe(() => told++);
    await world.clock.advance(1_000);
    expect([told > 0, world.pool.createHeldUntil(), world.pool.creatable()]).toEqual([true, undefined, 1]);
  });
});

describe('the list of instances', () => {
  it('retires an instance that two lists in a row do not show, or one after it was destroyed (T-58, L-24, K-6)', async () => {
    const world = new PoolWorld({ types });
    world.add('a', type1);
    world.add('b', type1);
    await world.start();
    await world.clock.advance(65_000);
    const [a] = [world.cloud.get('a')!];
    world.cloud.delete('a');
    await world.sync();
    expect(Object.keys(world.states())).toEqual(['a', 'b']);
    world.cloud.set('a', a);
    await world.sync();
    world.cloud.delete('a');
    await world.clock.advance(120_000);
    expect(world.retired.map(({ id }) => id)).toEqual(['a']);
    world.pool.killInstance('b', because);
    await world.sync();
    expect(world.states()).toEqual({});
  });

  it('keeps an instance that lists do not show yet, or not for a while (K-6)', async () => {
    const world = new PoolWorld({ types, missingGraceMs: 600_000 });
    await world.start();
    const created = world.add('late', type1);
    world.cloud.delete('late');
    world.roster.see(created, true);
    for (let list = 0; list < 3; list++) await world.sync();
    expect(Object.keys(world.states())).toEqual(['late']);
    world.cloud.set('late', created);
    await world.sync();
    world.cloud.delete('late');
    for (let list = 0; list < 3; list++) await world.sync();
    expect(Object.keys(world.states())).toEqual(['late']);
    await world.clock.advance(720_000);
    expect(world.retired.map(({ id }) => id)).toEqual(['late']);
  });

  it('counts lists as well as time when an instance is missing (K-6)', async () => {
    const world = new PoolWorld({ types, missingLists: 5, missingGraceMs: 60_000 });
    world.add('a', type1);
    await world.start();
    await world.clock.advance(120_000);
    world.cloud.delete('a');
    await world.sync();
    world.listFails = true;
    await world.clock.advance(600_000);
    world.listFails = false;
    await world.clock.advance(15_000);
    expect(Object.keys(world.states())).toEqual(['a']);
    await world.clock.advance(5_000);
    expect(world.retired.map(({ id }) => id)).toEqual(['a']);
  });

  it('may not have shown every instance before as many arrived as an instance can be left out of (K-6)', async () => {
    const world = new PoolWorld({ types, missingLists: 5, missingGraceMs: 60_000 });
    world.add('a', type1);
    await world.start();
    await world.clock.advance(55_000);
    const mayRunUnseen = (instanceId?: string): boolean =>
      world.pool.mayRunUnseen({ uuid: 'c', ...(instanceId && { instanceId }) });
    expect([mayRunUnseen('i-1'), mayRunUnseen()]).toEqual([true, true]);
    await world.visit('a');
    expect([mayRunUnseen('a'), mayRunUnseen('i-1'), mayRunUnseen()]).toEqual([false, true, true]);
    await world.clock.advance(5_000);
    expect([mayRunUnseen('i-1'), mayRunUnseen()]).toEqual([false, false]);
  });

  it('is not needed to know that an instance is gone which this process saw destroyed (K-6, SY-1)', async () => {
    const world = new PoolWorld({ types, missingLists: 5, missingGraceMs: 60_000 });
    for (const id of ['a', 'b', 'c']) world.add(id, type1);
    await world.start();
    const mayRunUnseen = (uuid: string, instanceId?: string): boolean =>
      world.pool.mayRunUnseen({ uuid, ...(instanceId && { instanceId }) });
    expect(['a', 'b', 'c'].map((id) => mayRunUnseen('u', id))).toEqual([true, true, true]);
    for (const id of ['a', 'b']) await world.visit(id);
    world.pool.startContainer('b', container(1));
    for (const id of ['a', 'b']) world.pool.killInstance(id, 'test');
    world.cloud.delete('c');
    await world.clock.advance(10_000);
    expect(world.pool.instances().map(({ instanceId }) => instanceId)).toEqual(['c']);
    // What nobody destroyed may only have been left out.
    expect(['a', 'b', 'c'].map((id) => mayRunUnseen('u', id))).toEqual([false, false, true]);
    // A queue that does not know where its container runs is told by where this process started it.
    expect([mayRunUnseen(container(1).uuid), mayRunUnseen(container(2).uuid)]).toEqual([false, true]);
  });

  it('keeps an instance that answers, however long lists leave it out (K-6)', async () => {
    const world = new PoolWorld({ types, missingGraceMs: 60_000 });
    world.add('a', type1);
    await world.start();
    world.pool.setIdleBehavior('a', 'hold', because);
    world.cloud.delete('a');
    for (let minute = 0; minute < 10; minute++) {
      await world.clock.advance(30_000);
      await world.visit('a');
    }
    expect(Object.keys(world.states())).toEqual(['a']);
    await world.clock.advance(120_000);
    expect(world.retired.map(({ id }) => id)).toEqual(['a']);
  });

  it('is read again soon while an instance is missing that gives no answer, and only then (K-6)', async () => {
    const world = new PoolWorld({ types, missingGraceMs: 180_000 });
    world.add('a', type1);
    await world.start();
    await world.clock.advance(240_000);
    world.cloud.delete('a');
    await world.sync();
    const lists = world.lists;
    await world.sync();
    expect(world.lists - lists).toBe(12);
    await world.clock.advance(1_000);
    await world.visit('a');
    await world.clock.advance(58_000);
    expect(world.lists - lists).toBe(12);
  });

  it('is taken in by slices after a start, and only the whole of it counts as loaded (L-25)', async () => {
    const world = new PoolWorld({ types });
    for (let index = 0; index < 250; index++) world.add(`i-${index}`, type1);
    let isLoaded = false;
    void world.pool.loaded().then(() => (isLoaded = true));
    // What others see who wait for their turn.
    const seen: number[] = [];
    const look = (): void => {
      if (seen.push(world.roster.size) < 3) world.clock.setTimeout(look, 0);
    };
    world.clock.setTimeout(look, 0);
    await world.start();
    expect([world.roster.size, isLoaded]).toEqual([100, false]);
    await world.clock.advance(0);
    expect([seen, isLoaded]).toEqual([[100, 200, 250], true]);
    for (let index = 250; index < 500; index++) world.add(`i-${index}`, type1);
    await world.sync();
    expect(world.roster.size).toBe(500);
  });

  it('lets others have a turn after 10 ms, however few instances were taken in by then (L-25)', async () => {
    let spentMs = 0;
    const inspection = () => void (spentMs += 4);
    const world = new PoolWorld({ types, inspection });
    const { clock } = world;
    const now = clock.now.bind(clock);
    clock.now = () => now() + spentMs;
    for (let index = 0; index < 8; index++) world.add(`i-${index}`, type1);
    await world.start();
    expect(world.roster.size).toBe(3);
    clock.step();
    expect(world.roster.size).toBe(6);
    await clock.advance(0);
    expect(world.roster.size).toBe(8);
  });

  it('is not asked for again before the first one is taken in', async () => {
    const world = new PoolWorld({ types });
    for (let index = 0; index < 150; index++) world.add(`i-${index}`, type1, { address: '' });
    await world.start();
    expect([world.roster.size, world.pool.sync.awaitsNews()]).toEqual([100, false]);
    await world.clock.advance(0);
    expect([world.roster.size, world.pool.sync.awaitsNews()]).toEqual([150, true]);
  });

  it('gives way to a newer one while it is taken in', async () => {
    const world = new PoolWorld({ types });
    for (let index = 0; index < 250; index++) world.add(`i-${index}`, type1);
    await world.start();
    const newer = [...world.cloud.values()].slice(50, 240);
    world.pool.sync.reconcile(newer);
    for (let round = 0; round < 4; round++) await world.clock.advance(0);
    expect(world.roster.size).toBe(240);
    expect([world.roster.get('i-239') !== undefined, world.roster.get('i-240')]).toEqual([true, undefined]);
    await world.pool.loaded();
  });

  it('is not taken in any further by a pool that stops', async () => {
    const world = new PoolWorld({ types });
    for (let index = 0; index < 250; index++) world.add(`i-${index}`, type1);
    await world.start();
    world.pool.stop();
    await world.clock.advance(1_000);
    expect(world.roster.size).toBe(0);
  });

  it('changes nothing when it cannot be had, and is not loaded before the first (T-64, L-22, L-33)', async () => {
    const world = new PoolWorld({ types });
    world.listFails = true;
    world.add('a', type1);
    let isLoaded = false;
    void world.pool.loaded().then(() => (isLoaded = true));
    await world.start();
    expect([isLoaded, world.states()]).toEqual([false, {}]);
    world.listFails = false;
    await world.clock.advance(5_000);
    expect([isLoaded, world.states()]).toEqual([true, { a: 'unknown' }]);
    world.listFails = true;
    await world.sync();
    expect(world.states()).toEqual({ a: 'unknown' });
  });

  it('is read sooner while an instance has no address', async () => {
    const world = new PoolWorld({ types });
    world.add('a', type1, { address: '' });
    await world.start();
    const before = world.lists;
    await world.clock.advance(20_000);
    expect(world.lists - before).toBeGreaterThanOrEqual(3);
  });

  it('adopts an instance again that came back, knowing nothing of it (W-31)', async () => {
    const world = new PoolWorld({ types });
    const instance = world.add('a', type1);
    await world.start();
    await world.visit('a');
    world.cloud.delete('a');
    await world.clock.advance(120_000);
    world.cloud.set('a', instance);
    await world.sync();
    expect(world.states()).toEqual({ a: 'unknown' });
  });

  it('drops the containers of an instance that is gone, without a trace (T-66, R-15)', async () => {
    const world = new PoolWorld({ types });
    world.add('a', type1);
    world.probe = () => listing({ live: [container(1).uuid] });
    await world.start();
    await world.visit('a');
    expect([...world.pool.running().keys()]).toEqual([container(1).uuid]);
    world.cloud.delete('a');
    await world.clock.advance(120_000);
    expect(world.pool.running().size).toBe(0);
  });
});

describe('orders', () => {
  it('shut down what is idle or booting, never what is held (T-9, T-10, W-27)', async () => {
    const world = new PoolWorld({ types });
    world.add('a', type1);
    world.add('held', type1, { tags: { LongshoreInstanceType: 't1', LongshoreIdleBehavior: 'hold' } });
    await world.start();
    for (const id of ['a', 'held']) await world.visit(id);
    expect(['a', 'held', 'nobody'].map((id) => world.pool.shutdown(id, because))).toEqual([
      true,
      false,
      false,
    ]);
    await world.sync();
    expect(world.states()).toEqual({ held: 'idle' });
  });

  it('for an instance nobody knows are refused by name (I-6, L-35, T-67)', async () => {
    const { pool } = await new PoolWorld({ types }).start();
    expect(() => pool.setIdleBehavior('nobody', 'hold', because)).toThrow(
      'requested instance does not exist',
    );
    expect(() => pool.killInstance('nobody', because)).toThrow('instance not found');
  });

  it('tell that a reboot ended a container, and only on the instance that rebooted', async () => {
    const { pool } = await new PoolWorld({ types }).start();
    pool.instanceRebooted('a', [container(1).uuid, container(2).uuid]);
    pool.containerExited(container(1).uuid, 'a', 5);
    pool.containerExited(container(2).uuid, 'b', 5);
    const exits = [...pool.running().values()].map(({ instanceId, because: why }) => [instanceId, why]);
    expect(exits).toEqual([
      ['a', 'the instance rebooted'],
      ['b', undefined],
    ]);
  });

  it('start a container once, and show when it ended until that is forgotten (T-4, T-48, R-16, R-17, R-18)', async () => {
    const world = new PoolWorld({ types });
    world.add('a', type1);
    await world.start();
    await world.visit('a');
    const one = container(1);
    expect(world.pool.startContainer('a', one)).toBe(true);
    expect(world.pool.running().get(one.uuid)).toMatchObject({ instanceId: 'a', exitedAt: undefined });
    await settle();
    await world.visit('a');
    expect(world.pool.running().get(one.uuid)).toMatchObject({ phase: 'exited' });
    expect(world.pool.killContainer(one.uuid, because)).toBe(false);
    world.pool.forgetContainer(one.uuid);
    expect(world.pool.running().size).toBe(0);
  });
});

it('tells listeners once of many changes, and only afterwards (T-65, L-27, L-28, L-29)', async () => {
  const world = await new PoolWorld({ types }).start();
  let told = 0;
  world.pool.subscribe(() => told++);
  for (let each = 0; each < 3; each++) world.pool.changed();
  expect(told).toBe(0);
  await settle();
  expect(told).toBe(1);
});

it('replaces a worker that throws, and nobody else notices', async () => {
  const world = new PoolWorld({ types });
  for (const id of ['a', 'b']) world.add(id, type1);
  await world.start();
  for (const id of ['a', 'b']) await world.visit(id);
  world.sabotage = (id) => {
    if (id === 'a') throw new Error('a fault of ours');
  };
  await world.visit('a');
  world.sabotage = () => {};
  expect([world.broke, world.states()['b']]).toEqual([['a'], 'idle']);
  await world.clock.advance(5_000);
  expect(world.states()).toEqual({ a: 'unknown', b: 'idle' });
  await world.visit('a');
  expect(world.states()).toEqual({ a: 'idle', b: 'idle' });
});

it('ends the effects of a worker that throws before a new one begins its own', async () => {
  const world = new PoolWorld({ types });
  world.add('a', type1);
  await world.start();
  await world.visit('a');
  world.roster.send('a', { type: 'container.assigned', uuid: uuid1, queuedAt: 0 });
  await settle();
  const container = world.roster.get('a')!.actor.getSnapshot().children[uuid1]!;
  expect([world.watched, container.getSnapshot().status]).toEqual([['a'], 'active']);
  world.sabotage = () => {
    throw new Error('a fault of ours');
  };
  await world.visit('a');
  world.sabotage = () => {};
  expect([world.broke, world.watched, container.getSnapshot().status]).toEqual([['a'], [], 'stopped']);
  await world.clock.advance(5_000);
  await world.visit('a');
  expect(world.watched).toEqual(['a']);
});

it('dates the waits of a worker and of its containers by the clock they run by', async () => {
  const world = new PoolWorld({ types });
  world.add('a', type1);
  await world.start();
  await world.visit('a');
  const idleSince = world.clock.now();
  const waits = () => world.pool.chart('a')!.timers.map(({ name, firesAt }) => [name, firesAt]);
  expect(waits()).toContainEqual(['idleTimeout', idleSince + 60_000]);
  await world.clock.advance(10_000);
  expect(waits()).toContainEqual(['idleTimeout', idleSince + 60_000]);
  world.kill = () => Promise.resolve(failure);
  world.roster.send('a', { type: 'container.assigned', uuid: uuid1, queuedAt: 0 });
  await settle();
  world.roster.send('a', { type: 'container.kill', uuid: uuid1, because: 'it is Cancelled' });
  await settle();
  const [runner] = world.pool.chart('a')!.runners;
  const now = world.clock.now();
  expect(runner!.timers.map(({ name, startedAt, firesAt }) => [name, startedAt, firesAt])).toContainEqual([
    'signalInterval',
    now,
    now + 5_000,
  ]);
});
