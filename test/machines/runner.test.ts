import { describe, expect, it } from 'vitest';
import { settle } from '../../src/simulation/heap-clock.js';
import {
  deferred,
  failure,
  listing,
  uuid1,
  uuid2,
  WorkerWorld,
  workerSettings,
} from '../support/worker-world.js';

const { timeoutTermMs, timeoutSignalMs } = workerSettings.runnerTimings;
const collecting = { settings: { collects: true } };

async function withContainer(...options: ConstructorParameters<typeof WorkerWorld>): Promise<WorkerWorld> {
  const world = new WorkerWorld(...options);
  await world.bringUp();
  await world.assign(uuid1);
  return world;
}

const order = { type: 'container.kill', uuid: uuid1, because: 'test' } as const;

describe('starting a container', () => {
  it('keeps one runner when a probe sees the process before the slow start command returns (T-47, R-4)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    const slow = deferred<{ ok: true }>();
    world.start = () => slow.promise;
    await world.assign(uuid1);
    world.list = () => listing({ live: [uuid1] });
    await world.probe();
    slow.resolve({ ok: true });
    await settle();
    expect([world.state, world.runners, world.count(`start ${uuid1}`)]).toEqual(['running', [uuid1], 1]);
    expect(world.actor.getSnapshot().context.lastContainerUuid).toBe(uuid1);
  });

  it('lets the next probe decide about a failed start (T-48, R-5)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    world.start = () => failure;
    await world.assign(uuid1);
    expect([world.state, world.facts.at(-1)]).toEqual(['running', { type: 'probe.wanted' }]);
    await world.probe();
    expect([world.state, world.exits()]).toEqual(['idle', [uuid1]]);
  });

  it('is refused on hold and while draining (T-4, R-1, I-3)', async () => {
    for (const behavior of ['hold', 'run'] as const) {
      const world = new WorkerWorld();
      await world.bringUp();
      await world.send({ type: `operator.${behavior}`, because: 'test' });
      const can = world.actor.getSnapshot().can({ type: 'container.assigned', uuid: uuid1, queuedAt: 0 });
      expect([behavior, can]).toEqual([behavior, behavior === 'run']);
    }
    const draining = await withContainer();
    await draining.send({ type: 'operator.drain', because: 'test' });
    expect(draining.actor.getSnapshot().can({ type: 'container.assigned', uuid: uuid2, queuedAt: 0 })).toBe(
      false,
    );
  });
});

describe('killing a container', () => {
  it('sends TERM at once and at each signal interval until it is gone (T-49, R-9, R-10)', async () => {
    const world = await withContainer();
    let tries = 0;
    world.kill = () => (++tries > 3 ? { ok: true } : failure);
    await world.send(order);
    expect(world.count(`kill ${uuid1}`)).toBe(1);
    await world.clock.advance(3 * timeoutSignalMs);
    expect([world.count(`kill ${uuid1}`), world.state, world.exits()]).toEqual([4, 'idle', [uuid1]]);
  });

  it('is one task, however often it is ordered (T-53, R-8)', async () => {
    const world = await withContainer();
    for (let each = 0; each < 3; each++) await world.send(order);
    expect(world.count(`kill ${uuid1}`)).toBe(1);
  });

  it('is no news of the containers when it is ordered again, so that nobody is woken by it', async () => {
    const world = await withContainer();
    world.kill = () => failure;
    await world.send(order);
    const { runners } = world.actor.getSnapshot().context;
    await world.send(order);
    expect(world.actor.getSnapshot().context.runners).toBe(runners);
  });

  it('gives up in time, drains the worker and shuts it down (T-50, R-14, W-22)', async () => {
    const world = await withContainer();
    await world.send(order);
    await world.clock.advance(timeoutTermMs - 1);
    expect([world.behavior, world.state]).toEqual(['run', 'running']);
    expect(world.count(`kill ${uuid1}`)).toBeGreaterThanOrEqual(timeoutTermMs / timeoutSignalMs);
    await world.clock.advance(timeoutSignalMs);
    expect([world.behavior, world.state, world.runners]).toEqual(['drain', 'shutdown', [uuid1]]);
  });

  it('lets a healthy container end first (T-51, W-22)', async () => {
    const world = await withContainer();
    await world.assign(uuid2);
    await world.send(order);
    await world.clock.advance(timeoutTermMs + timeoutSignalMs);
    expect([world.behavior, world.state]).toEqual(['drain', 'running']);
    world.list = () => listing({ live: [uuid1] });
    await world.probe();
    expect(world.state).toBe('shutdown');
  });

  it('leaves a worker on hold alone until it is drained (T-52, R-14, I-6)', async () => {
    const world = await withContainer();
    await world.send({ type: 'operator.hold', because: 'test' });
    await world.send(order);
    await world.clock.advance(timeoutTermMs + timeoutSignalMs);
    expect([world.behavior, world.state]).toEqual(['hold', 'running']);
    await world.send({ type: 'operator.drain', because: 'test' });
    expect(world.state).toBe('shutdown');
  });

  it('can be asked for again after it gave up (K-13)', async () => {
    const world = await withContainer();
    await world.send({ type: 'operator.hold', because: 'test' });
    await world.send(order);
    await world.clock.advance(timeoutTermMs + timeoutSignalMs);
    world.kill = () => ({ ok: true });
    await world.send(order);
    expect([world.state, world.exits()]).toEqual(['idle', [uuid1]]);
  });

  it('goes on while the start command has not returned (R-11)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    const slow = deferred<{ ok: true }>();
    world.start = () => slow.promise;
    world.kill = () => ({ ok: true });
    await world.assign(uuid1);
    await world.send(order);
    expect(world.runners).toEqual([uuid1]);
    slow.resolve({ ok: true });
    await settle();
    await world.clock.advance(timeoutSignalMs);
    expect(world.runners).toEqual([]);
  });

  it('tries again at the next beat when a TERM hangs (K-3)', async () => {
    const world = await withContainer();
    world.kill = () => new Promise(() => {});
    await world.send(order);
    await world.clock.advance(timeoutTermMs + timeoutSignalMs);
    expect(world.state).toBe('shutdown');
  });
});

describe('the result of a container', () => {
  it('is not endangered by the order to kill it: no TERM is sent and nothing drained for it (R-13)', async () => {
    const world = await withContainer(collecting);
    world.kill = () => ({ ok: true });
    world.collect = () => failure;
    await world.send(order);
    await world.send(order);
    await world.clock.advance(timeoutSignalMs * 3);
    expect([world.count(`kill ${uuid1}`), world.behavior]).toEqual([1, 'run']);
    world.collect = () => ({ ok: true });
    await world.clock.advance(1_000);
    expect([world.state, world.exits()]).toEqual(['idle', [uuid1]]);
  });

  it('is collected though the start command broke off after the process had ended', async () => {
    const world = new WorkerWorld(collecting);
    await world.bringUp();
    let breakOff!: (error: Error) => void;
    world.start = () => new Promise((_, reject) => (breakOff = reject));
    await world.assign(uuid1);
    await world.send({ type: 'watch.ended', uuid: uuid1 });
    breakOff(new Error('a bug of ours'));
    await settle();
    expect([world.count(`collect ${uuid1}`), world.state]).toEqual([1, 'idle']);
  });

  it('is brought home before the worker is idle', async () => {
    const world = await withContainer(collecting);
    const slow = deferred<{ ok: true }>();
    world.collect = () => slow.promise;
    world.list = () => listing({ ended: [uuid1] });
    await world.probe();
    await world.probe();
    expect([world.state, world.exits()]).toEqual(['running', []]);
    slow.resolve({ ok: true });
    await settle();
    expect([world.state, world.exits(), world.count(`collect ${uuid1}`)]).toEqual(['idle', [uuid1], 1]);
  });

  it('is asked for again when it could not be had, and given up in the end', async () => {
    const world = await withContainer(collecting);
    world.collect = () => failure;
    await world.send({ type: 'watch.ended', uuid: uuid1 });
    await world.clock.advance(5_000);
    expect(world.count(`collect ${uuid1}`)).toBeGreaterThan(3);
    await world.clock.advance(60_000);
    expect([world.behavior, world.state, world.exits()]).toEqual(['drain', 'shutdown', [uuid1]]);
  });

  it('is found on an instance that was adopted', async () => {
    const world = new WorkerWorld({ ...collecting, expected: false });
    world.list = () => listing({ ended: [uuid1], live: [uuid2] });
    await world.probe();
    expect([world.state, world.runners, world.count(`collect ${uuid1}`)]).toEqual(['running', [uuid2], 1]);
  });

  it('is collected when the process ended before its start command returned', async () => {
    const world = new WorkerWorld(collecting);
    await world.bringUp();
    const slow = deferred<{ ok: true }>();
    world.start = () => slow.promise;
    await world.assign(uuid1);
    await world.send({ type: 'watch.started', uuid: uuid1 });
    await world.send({ type: 'watch.ended', uuid: uuid1 });
    expect(world.count(`collect ${uuid1}`)).toBe(0);
    slow.resolve({ ok: true });
    await settle();
    expect([world.count(`collect ${uuid1}`), world.state]).toEqual([1, 'idle']);
  });
});
