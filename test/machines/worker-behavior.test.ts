import { describe, expect, it } from 'vitest';
import { settle } from '../../src/simulation/heap-clock.js';
import { deferred, failure, listing, uuid1, uuid2, WorkerWorld } from '../support/worker-world.js';

const minute = 60_000;
const because = 'test';

describe('idle behavior', () => {
  it('keeps a held worker through every timeout (I-1..I-3, T-93)', async () => {
    const world = new WorkerWorld({ tags: { LongshoreIdleBehavior: 'hold' } });
    world.boot = () => failure;
    await world.clock.advance(2 * minute);
    await world.probe();
    expect(world.state).toBe('booting');
    world.boot = () => ({ ok: true });
    await world.probe();
    await world.clock.advance(10 * minute);
    world.list = () => ({ ...failure, durationMs: 1 });
    await world.probe();
    expect([world.state, world.behavior, world.count('destroy')]).toEqual(['idle', 'hold', 0]);
    expect(world.actor.getSnapshot().can({ type: 'scheduler.shutdown', because })).toBe(false);
  });

  it('destroys a held worker only by the order to kill it (I-7, T-67, W-28)', async () => {
    const world = new WorkerWorld({ tags: { LongshoreIdleBehavior: 'hold' } });
    await world.send({ type: 'operator.kill', because });
    expect([world.state, world.outcome, world.count('destroy')]).toEqual(['shutdown', 'aborted', 1]);
  });

  it('drains a booting and an idle worker at once, a running one when it is free (I-2..I-4, T-11, W-20)', async () => {
    const booting = new WorkerWorld();
    await booting.send({ type: 'operator.drain', because });
    expect([booting.state, booting.outcome]).toEqual(['shutdown', 'aborted']);
    const running = new WorkerWorld();
    await running.bringUp(uuid1);
    await running.send({ type: 'operator.drain', because });
    expect(running.state).toBe('running');
    running.list = () => listing();
    await running.probe();
    expect(running.state).toBe('shutdown');
  });

  it('waits with draining until it is known what runs on an adopted worker (I-1)', async () => {
    const world = new WorkerWorld({ expected: false });
    await world.send({ type: 'operator.drain', because });
    expect(world.state).toBe('unknown');
    await world.probe();
    expect(world.state).toBe('shutdown');
  });

  it('can be taken back until the worker is shut down (I-5, I-11, T-94)', async () => {
    const world = new WorkerWorld();
    await world.bringUp(uuid1);
    await world.send({ type: 'operator.drain', because });
    await world.send({ type: 'operator.run', because });
    world.list = () => listing();
    await world.probe();
    expect(world.state).toBe('idle');
    await world.send({ type: 'operator.kill', because });
    for (const order of ['run', 'hold'] as const) await world.send({ type: `operator.${order}`, because });
    await world.probe();
    expect([world.state, world.behavior]).toEqual(['shutdown', 'hold']);
  });

  it('drains a worker whose type is not configured any more, unless it is held (T-3, W-4)', async () => {
    const lost = new WorkerWorld({ expected: false, typeIsConfigured: false });
    expect(lost.behavior).toBe('drain');
    const held = new WorkerWorld({ typeIsConfigured: false, tags: { LongshoreIdleBehavior: 'hold' } });
    expect(held.behavior).toBe('hold');
  });

  it('shuts an idle worker down when run is set after its idle timeout (I-6, W-21)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    await world.send({ type: 'operator.hold', because });
    await world.clock.advance(2 * minute);
    expect(world.state).toBe('idle');
    await world.send({ type: 'operator.run', because });
    expect(world.state).toBe('shutdown');
  });
});

describe('the idle clock', () => {
  it('begins in service, however long the boot took (K-9, W-36)', async () => {
    const world = new WorkerWorld();
    await world.clock.advance(50_000);
    await world.bringUp();
    await world.clock.advance(minute - 1);
    expect(world.state).toBe('idle');
    await world.clock.advance(1);
    expect([world.state, world.actor.getSnapshot().context.shutdownBecause]).toEqual([
      'shutdown',
      'idle for longer than the idle timeout',
    ]);
  });

  it('begins anew when the scheduler keeps it, and only while idle', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    await world.clock.advance(minute - 1);
    await world.send({ type: 'scheduler.keep' });
    await world.clock.advance(minute - 1);
    expect([world.state, world.actor.getSnapshot().context.busyAt]).toEqual([
      'idle',
      world.clock.now() - minute + 1,
    ]);
    await world.clock.advance(1);
    await world.send({ type: 'scheduler.keep' });
    expect(world.state).toBe('shutdown');
  });

  it('begins anew when the last container ended (W-18)', async () => {
    const world = new WorkerWorld();
    await world.bringUp(uuid1);
    await world.clock.advance(5 * minute);
    expect(world.state).toBe('running');
    world.list = () => listing();
    await world.probe();
    await world.clock.advance(minute - 1);
    expect(world.state).toBe('idle');
  });
});

describe('shutting down', () => {
  it('repeats the order to destroy until the instance is gone (T-62, S-1, S-3, W-29, K-24)', async () => {
    const world = new WorkerWorld();
    world.destroy = () => failure;
    await world.send({ type: 'operator.kill', because });
    expect(world.count('destroy')).toBe(1);
    await world.clock.advance(30_000);
    expect([world.count('destroy'), world.state]).toEqual([4, 'shutdown']);
    await world.send({ type: 'instance.missing' });
    await world.clock.advance(minute);
    expect([world.state, world.count('destroy')]).toEqual(['gone', 4]);
  });

  it('drops the result of a visit that was under way (W-33)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    const slow = deferred<ReturnType<typeof listing>>();
    world.list = () => slow.promise;
    await world.probe();
    await world.send({ type: 'operator.kill', because });
    slow.resolve(listing({ live: [uuid1] }));
    await settle();
    expect([world.state, world.runners]).toEqual(['shutdown', []]);
    const before = world.orders.length;
    await world.probe();
    expect(world.orders.length).toBe(before);
  });

  it('keeps its containers until it is gone (S-4, W-25, T-66)', async () => {
    const world = new WorkerWorld();
    await world.bringUp(uuid1);
    await world.send({ type: 'operator.kill', because });
    expect(world.runners).toEqual([uuid1]);
    await world.send({ type: 'instance.missing' });
    expect(world.exits()).toEqual([]);
  });

  it('counts one boot outcome for each worker (T-95)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    await world.send({ type: 'operator.kill', because });
    await world.send({ type: 'instance.missing' });
    expect(world.facts.filter(({ type }) => type === 'boot.decided')).toEqual([
      { type: 'boot.decided', outcome: 'success' },
    ]);
    const vanished = new WorkerWorld();
    await vanished.send({ type: 'instance.missing' });
    expect(vanished.outcome).toBe('disappeared');
  });
});

describe('tags', () => {
  it('are written one at a time, and the last wish wins (K-32, I-8)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    const slow = deferred<{ ok: true }>();
    world.save = () => slow.promise;
    await world.send({ type: 'operator.hold', because });
    await world.send({ type: 'operator.run', because });
    await world.send({ type: 'operator.hold', because });
    expect(world.count('tags')).toBe(1);
    world.save = () => ({ ok: true });
    slow.resolve({ ok: true });
    await settle();
    expect(world.writtenTags.at(-1)).toMatchObject({
      LongshoreIdleBehavior: 'hold',
      LongshoreInstanceType: 'small',
      LongshoreInstanceSecret: 'sha256:00',
    });
  });

  it('are written once more when the wish changed while they were being written (K-32)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    const slow = deferred<{ ok: true }>();
    world.save = () => slow.promise;
    await world.send({ type: 'operator.hold', because });
    await world.send({ type: 'operator.run', because });
    slow.resolve({ ok: true });
    await settle();
    const written = world.writtenTags.map(({ LongshoreIdleBehavior }) => LongshoreIdleBehavior);
    expect(written).toEqual(['hold', 'run']);
  });

  it('are written again when a write failed, and when a list shows the old ones (I-8)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    const { instance } = world.actor.getSnapshot().context;
    world.save = () => failure;
    await world.send({ type: 'operator.hold', because });
    world.save = () => ({ ok: true });
    await world.clock.advance(1_000);
    expect(world.count('tags')).toBe(2);
    await world.send({ type: 'instance.listed', instance: { ...instance, displayName: 'old tags' } });
    expect(world.count('tags')).toBe(3);
  });
});

describe('the watch', () => {
  it('tells of starts and ends at once, and of containers nobody knew (R-6, R-7)', async () => {
    const world = new WorkerWorld({ settings: { collects: true } });
    await world.bringUp();
    await world.send({ type: 'watch.started', uuid: uuid1 });
    expect([world.state, world.runners]).toEqual(['running', [uuid1]]);
    await world.send({ type: 'watch.ended', uuid: uuid1 });
    await world.send({ type: 'watch.ended', uuid: uuid2 });
    expect([world.state, world.count(`collect ${uuid1}`), world.count(`collect ${uuid2}`)]).toEqual([
      'idle',
      1,
      1,
    ]);
  });

  it('is opened again after a while when it broke, and not when it is unknown', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    await world.send({ type: 'watch.closed', supported: true, message: 'gone' });
    expect([world.count('watch'), world.facts.at(-1)]).toEqual([1, { type: 'probe.wanted' }]);
    await world.clock.advance(10_000);
    expect(world.count('watch')).toBe(2);
    await world.send({ type: 'watch.closed', supported: false, message: 'usage' });
    await world.clock.advance(30_000);
    expect(world.count('watch')).toBe(2);
  });

  it('drains an instance whose first answer tells that the provider takes it away (DW-20)', async () => {
    const world = new WorkerWorld();
    world.list = () => listing({ live: [uuid1], interruption: 'terminate at noon' });
    await world.probe();
    expect([world.behavior, world.state, world.outcome]).toEqual(['drain', 'running', 'success']);
  });

  it('drains an instance that the provider takes away (DW-20)', async () => {
    const world = new WorkerWorld();
    await world.bringUp(uuid1);
    await world.send({ type: 'watch.interruption', notice: 'terminate at noon' });
    expect([world.behavior, world.state]).toEqual(['drain', 'running']);
    expect(world.actor.getSnapshot().context.behaviorBecause).toBe('terminate at noon');
  });
});

it('asks for a visit when a stage of the boot takes too long (P-19)', async () => {
  const world = new WorkerWorld({
    settings: {
      bootStageTimeoutsMs: {
        requested: 60_000,
        addressed: 5_000,
        connected: 60_000,
        verified: 60_000,
        booted: 60_000,
        copied: 60_000,
      },
    },
  });
  world.boot = () => failure;
  const wanted = (): number => world.facts.filter(({ type }) => type === 'probe.wanted').length;
  const before = wanted();
  await world.clock.advance(5_000);
  expect(wanted()).toBe(before + 1);
  await world.probe();
  expect([world.state, world.outcome]).toEqual(['shutdown', 'failure']);
});

it('becomes idle, not running, when a container ends while its worker is adopted (P-24, T-90)', async () => {
  const world = new WorkerWorld({ expected: false });
  world.list = () => listing({ live: [uuid1] });
  await world.probe();
  expect(world.state).toBe('running');
  world.list = () => listing();
  await world.probe();
  expect(world.state).toBe('idle');
});
