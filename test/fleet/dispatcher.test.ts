import { afterEach, describe, expect, it } from 'vitest';
import { describeWait } from '../../src/policy/wait-reason.js';
import { DispatchWorld } from '../support/dispatch-world.js';
import { container, typeT } from '../support/scheduling-world.js';
import { deferred, listing } from '../support/worker-world.js';

const t1 = typeT(1);
const [c1, c2] = [container(1), container(2)];
let world: DispatchWorld;

/** A started pool with one instance, which says what runs on it when it is visited. */
async function withInstance(...live: string[]): Promise<DispatchWorld> {
  world = new DispatchWorld({ types: [t1], maxInstances: 1 });
  world.add('i-1', t1);
  world.probe = () => listing({ live });
  await world.start();
  return world;
}

afterEach(() => world.stop());

describe('locks of an earlier daemon', () => {
  it('are given up when what runs does not become known in time (T-67, FX-3, FX-4)', async () => {
    (await withInstance()).queue(c1).dispatch();
    await world.pass(59_000);
    expect(world.calls).toEqual([]);
    await world.pass(1_100);
    expect(world.calls).toContain(`unlock ${c1.uuid}`);
    expect(world.uncounted).toEqual([c1.uuid]);
  });

  it('are judged by what is known last, so that one that runs after all is left alone (T-68, FX-6, W-12)', async () => {
    (await withInstance(c1.uuid)).queue(c1).dispatch();
    await world.pass(30_000);
    await world.visit('i-1');
    await world.pass(60_000);
    expect(world.calls).toEqual([]);
  });

  it('are scheduled at once when everything is known (T-69, FX-5)', async () => {
    world = new DispatchWorld({ types: [t1] });
    await world.start();
    world.queue(c1).dispatch();
    await world.pass();
    expect([world.calls, Object.values(world.states())]).toEqual([[], ['booting']]);
  });
});

describe('a scheduling pass', () => {
  it('that a bug ends early is told, and the next one is made', async () => {
    await withInstance();
    const bug = new TypeError('x is undefined');
    const pool = Object.assign(world.pool, {
      instances: () => {
        throw bug;
      },
    });
    world.dispatch();
    await world.pass(30_000);
    expect(world.passes.length).toBeGreaterThan(1);
    expect(world.passes).toEqual(world.passes.map(() => bug));
    Reflect.deleteProperty(pool, 'instances');
    await world.pass(30_000);
    expect(world.passes.at(-1)).toBeUndefined();
  });
});

it('charges no attempt for a lock that is given up because there is no quota (T-61, SC-80, CR-16)', async () => {
  world = new DispatchWorld({ types: [t1] });
  world.answer = () => Promise.resolve({ ok: false, error: { code: 'quota', message: 'quota exceeded' } });
  await world.start();
  const dispatch = world.queue(c1).dispatch();
  await world.pass();
  expect([world.calls, world.uncounted]).toEqual([[`unlock ${c1.uuid}`], [c1.uuid]]);
  await world.pass(1_000);
  const wait = dispatch.wait(c1.uuid)!;
  expect(describeWait(wait)).toContain('quota exceeded');
  expect(wait).toMatchObject({ code: 'cloud-limit', until: 1_000_000 + 60_000 });
});

describe('a container that two instances have', () => {
  it('is stopped on the one that the queue does not name, and stays what it is', async () => {
    world = new DispatchWorld({ types: [t1], maxInstances: 2 });
    world.add('i-1', t1);
    world.add('i-2', t1);
    world.probe = () => listing({ live: [c1.uuid], attempts: { [c1.uuid]: 1 } });
    await world.start();
    for (const id of ['i-1', 'i-2']) await world.visit(id);
    const kills: (string | undefined)[] = [];
    const { pool } = world;
    const kill = pool.killContainer.bind(pool);
    pool.killContainer = (uuid, because, instanceId) => {
      kills.push(instanceId);
      return kill(uuid, because, instanceId);
    };
    world.queue({ ...container(1, { state: 'Running' }), instanceId: 'i-1', attempt: 2 }).dispatch();
    await world.pass(1_000);
    expect(new Set(kills)).toEqual(new Set(['i-2']));
    expect(world.claims).toEqual([
      {
        uuid: c1.uuid,
        instanceId: 'i-2',
        attempt: 1,
        what: 'process',
        because: 'the queue places the container on i-1',
      },
    ]);
    expect(world.calls).toEqual([]);
    expect(world.stateOf(c1.uuid)).toBe('Running');
  });
});

describe('queue and pool', () => {
  it('are brought together no faster than once a second while the store refuses', async () => {
    world = new DispatchWorld({ types: [t1] });
    await world.start();
    await world.pass(10_000);
    world.gate = Promise.reject(new Error('the store is down'));
    world.gate.catch(() => {});
    world.queue(container(1, { state: 'Running' })).dispatch();
    await world.pass(10_000);
    const tries = world.calls.filter((call) => call === `lost ${c1.uuid}`).length;
    expect([tries > 5, tries <= 11]).toEqual([true, true]);
  });

  it('agree that what is over on both sides is forgotten (T-70, SY-1)', async () => {
    world = new DispatchWorld({ types: [t1] });
    await world.start();
    const idle = container(1, { state: 'Queued', priority: 0n });
    world.queue(idle, container(2, { state: 'Complete' })).dispatch();
    await world.pass();
    expect(world.containers.size).toBe(0);
  });

  it('wait with a running container while it may be on a worker not heard of (T-71, SY-1)', async () => {
    (await withInstance()).queue(container(1, { state: 'Running' })).dispatch();
    for (let each = 0; each < 10; each++) await world.pass(1_000);
    expect(world.calls).toEqual([]);
    world.pool.killInstance('i-1', 'test');
    await world.sync();
    await world.pass();
    expect(world.calls).toEqual([`lost ${c1.uuid}`, `forget ${c1.uuid}`]);
  });

  it('agree at once that a container is lost whose instance this process destroyed, whatever else is not known (SY-1)', async () => {
    world = new DispatchWorld({ types: [t1], maxInstances: 1, missingLists: 5, missingGraceMs: 60_000 });
    for (const id of ['i-1', 'i-2']) world.add(id, t1);
    world.probe = () => listing();
    await world.start();
    await world.visit('i-1');
    const [ours, theirs] = [container(1, { state: 'Running' }), container(2, { state: 'Running' })];
    world.queue({ ...ours, instanceId: 'i-1' }, { ...theirs, instanceId: 'i-2' }).dispatch();
    world.pool.killInstance('i-1', 'test');
    await world.pass(10_000);
    // The other instance has not said yet what runs there.
    expect(world.calls).toEqual([`lost ${c1.uuid}`, `forget ${c1.uuid}`]);
  });

  it('conclude from a record that was read after the process ended, and from no other (T-72, T-73, Q-5, SY-4)', async () => {
    (await withInstance(c1.uuid, c2.uuid)).queue(container(1, { state: 'Running' }), c2).dispatch();
    await world.visit('i-1');
    await world.pass();
    world.probe = () => listing();
    await world.visit('i-1');
    await world.pass();
    expect([world.calls, world.pool.running().get(c1.uuid)?.phase]).toEqual([[], 'exited']);
    world.threshold = world.clock.now();
    world.become(c1.uuid, {});
    await world.pass();
    expect(world.calls.slice(0, 2).sort()).toEqual([`lost ${c1.uuid}`, `unlock ${c2.uuid}`]);
    // What is left of the attempt is dropped, and only then is it locked again.
    expect(world.calls).toContain(`lock ${c2.uuid}`);
  });

  it('end the process of a container that its owner cancelled, then forget it (T-75, SY-1)', async () => {
    (await withInstance(c1.uuid)).queue(container(1, { state: 'Running' })).dispatch();
    await world.visit('i-1');
    world.become(c1.uuid, { state: 'Cancelled' });
    await world.pass();
    await world.pass();
    expect([world.pool.running().size, world.stateOf(c1.uuid)]).toEqual([0, undefined]);
  });

  it('end a process that is not in the queue (T-74, SY-1)', async () => {
    (await withInstance(c1.uuid)).dispatch();
    await world.visit('i-1');
    await world.pass();
    expect(world.pool.running().get(c1.uuid)?.exitedAt).toBeUndefined();
    await world.pass();
    expect(world.pool.running().size).toBe(0);
  });
});

describe('operations on one container', () => {
  it('never overlap: the second waits for a later pass, 250 ms at most (T-76, UL-1, UL-2, UL-3)', async () => {
    world = new DispatchWorld({ types: [t1] });
    await world.start();
    const gate = deferred<void>();
    world.gate = gate.promise;
    world.queue(container(1, { state: 'Queued' })).dispatch();
    await world.pass();
    expect(world.calls).toEqual([`lock ${c1.uuid}`]);
    // The lock is on its way, and already the container is to be requeued.
    world.become(c1.uuid, { state: 'Locked', priority: 0n });
    await world.pass(600);
    expect(world.calls).toEqual([`lock ${c1.uuid}`]);
    gate.resolve();
    await world.pass(250);
    expect(world.calls.slice(0, 2)).toEqual([`lock ${c1.uuid}`, `unlock ${c1.uuid}`]);
  });
});

describe('the figures of a pass', () => {
  it('tell who waits, for what, and how long (T-77, MT-1, MT-2, MT-3)', async () => {
    world = new DispatchWorld({ types: [t1], maxInstances: 1 });
    await world.start();
    const old = { ...c1, createdAt: world.clock.now() - 10_000 };
    world.answer = () => new Promise(() => {});
    const dispatch = world.queue(old).dispatch();
    await world.pass();
    expect(dispatch.figures()).toMatchObject({ allocatedNotStarted: 1, overQuota: 0 });
    expect(dispatch.figures().longestWaitSeconds).toBeCloseTo(10.1);
    world.queue({ ...c2, createdAt: world.clock.now() });
    world.become(c2.uuid, {});
    await world.pass();
    expect(dispatch.figures()).toMatchObject({ allocatedNotStarted: 1, overQuota: 1 });
  });

  it('count no wait for one that was started (T-77, MT-3)', async () => {
    const dispatch = (await withInstance())
      .queue({ ...c1, createdAt: world.clock.now() - 10_000 })
      .dispatch();
    await world.visit('i-1');
    await world.pass();
    expect([dispatch.figures().longestWaitSeconds, world.pool.running().has(c1.uuid)]).toEqual([0, true]);
    expect(dispatch.wait(c1.uuid)).toEqual({ code: 'preparing' });
  });
});

describe('the queue', () => {
  it('is read at each poll interval, and of a slow server only half of the time (SC-2)', async () => {
    world = new DispatchWorld({ types: [t1] });
    await world.start();
    world.dispatch();
    await world.pass(10_000);
    world.updateMs = 25_000;
    await world.pass(10_000);
    for (let each = 0; each < 12; each++) await world.pass(10_000);
    const [first = 0, ...others] = world.updates;
    expect(others.map((at) => (at - first) / 1_000).slice(0, 4)).toEqual([10, 20, 70, 120]);
  });
});
