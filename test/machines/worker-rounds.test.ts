import { describe, expect, it } from 'vitest';
import {
  deferred,
  emptyListing,
  failure,
  listing,
  uuid1,
  uuid2,
  WorkerWorld,
} from '../support/worker-world.js';
import type { StartFault } from '../../src/domain/start-fault.js';
import type { StartOutcome } from '../../src/machines/worker-effects.js';
import { settle } from '../../src/simulation/heap-clock.js';

const minute = 60_000;

describe('a probe round of an unknown worker', () => {
  it('changes nothing when all fails at first (T-16, W-32)', async () => {
    const world = new WorkerWorld({ expected: false });
    world.boot = () => failure;
    world.list = () => ({ ...failure, durationMs: 1 });
    await world.probe();
    expect([world.state, world.runners]).toEqual(['unknown', []]);
  });

  it('adopts what runs though the boot probe fails (T-17, W-14)', async () => {
    const world = new WorkerWorld({ expected: false });
    world.boot = () => failure;
    world.list = () => listing({ live: [uuid1] });
    await world.probe();
    expect([world.state, world.runners]).toEqual(['unknown', [uuid1]]);
  });

  it('notes that a container ended though the boot probe fails (T-18, P-18)', async () => {
    const world = new WorkerWorld({ expected: false });
    world.boot = () => failure;
    world.list = () => listing({ live: [uuid1] });
    await world.probe();
    world.list = () => listing();
    await world.probe();
    expect([world.state, world.runners, world.exits()]).toEqual(['unknown', [], [uuid1]]);
  });

  it('shuts it down when nothing answered for the boot timeout (T-19, W-24, W-41)', async () => {
    const world = new WorkerWorld({ expected: false });
    world.boot = () => failure;
    world.list = () => ({ ...failure, durationMs: 1 });
    await world.probe();
    await world.clock.advance(minute + 1_000);
    await world.probe();
    expect([world.state, world.outcome]).toEqual(['shutdown', 'failure']);
  });

  it('shuts it down when only the boot probe succeeds for too long (T-20, W-24)', async () => {
    const world = new WorkerWorld({ expected: false });
    world.list = () => ({ ...failure, durationMs: 1 });
    await world.clock.advance(2 * minute);
    await world.probe();
    expect(world.state).toBe('shutdown');
  });

  it('shuts it down when the boot probe fails and nothing runs (T-21, T-24, W-34)', async () => {
    const world = new WorkerWorld({ expected: false });
    world.boot = () => failure;
    await world.clock.advance(2 * minute);
    await world.probe();
    expect(world.state).toBe('shutdown');
  });

  it('keeps it while containers run on it (T-22, T-23, K-1)', async () => {
    const world = new WorkerWorld({ expected: false });
    world.boot = () => failure;
    world.list = () => listing({ live: [uuid1] });
    await world.probe();
    await world.clock.advance(2 * minute);
    await world.probe();
    await world.clock.advance(2 * minute);
    expect([world.state, world.runners]).toEqual(['unknown', [uuid1]]);
    expect(world.orders).toContain('copy');
  });
});

describe('a probe round of a booting worker', () => {
  it('asks for containers only once booted (T-25, P-6)', async () => {
    const world = new WorkerWorld();
    world.boot = () => failure;
    await world.probe();
    expect([world.state, world.orders]).toEqual(['booting', ['boot']]);
  });

  it.each([
    ['booting', (): ReturnType<WorkerWorld['list']> => ({ ...failure, durationMs: 1 })],
    ['idle', (): ReturnType<WorkerWorld['list']> => listing()],
    ['running', (): ReturnType<WorkerWorld['list']> => listing({ live: [uuid1] })],
  ])('ends %s by what the run probe says (T-26, W-12, W-13)', async (state, list) => {
    const world = new WorkerWorld();
    world.list = list;
    await world.probe();
    expect(world.state).toBe(state);
  });

  it('counts a failing run probe at the boot timeout as a failed boot (T-27, W-35, K-8)', async () => {
    const world = new WorkerWorld();
    world.list = () => ({ ...failure, durationMs: 1 });
    await world.clock.advance(2 * minute);
    await world.probe();
    expect([world.state, world.outcome]).toEqual(['shutdown', 'failure']);
  });

  it('stays when the runner cannot be copied (T-32, P-8)', async () => {
    const world = new WorkerWorld();
    world.copy = () => failure;
    await world.probe();
    expect([world.state, world.orders]).toEqual(['booting', ['boot', 'copy']]);
  });

  it('keeps an instance whose slow boot probe succeeds after the timeout (T-54, P-19)', async () => {
    const world = new WorkerWorld();
    const slow = deferred<{ ok: true }>();
    world.boot = () => slow.promise;
    await world.probe();
    await world.clock.advance(2 * minute);
    expect(world.state).toBe('booting');
    slow.resolve({ ok: true });
    await settle();
    expect(world.state).toBe('idle');
  });

  it('tells how far the boot has come', async () => {
    const world = new WorkerWorld({ address: '' });
    const stages: string[] = [world.actor.getSnapshot().context.bootStage];
    const note = (): void => void stages.push(world.actor.getSnapshot().context.bootStage);
    const instance = { ...world.actor.getSnapshot().context.instance, address: '127.0.0.1:1' };
    await world.send({ type: 'instance.listed', instance });
    note();
    await world.send({ type: 'connection.established' });
    note();
    await world.send({ type: 'connection.verified' });
    note();
    const slow = deferred<{ ok: true }>();
    world.copy = () => slow.promise;
    await world.probe();
    note();
    expect(stages).toEqual(['requested', 'addressed', 'connected', 'verified', 'booted']);
  });
});

describe('a probe round of a worker in service', () => {
  it('finds a container (T-28, W-16)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    await world.bringUp(uuid1);
    expect([world.state, world.runners]).toEqual(['running', [uuid1]]);
  });

  it.each([[[]], [[uuid1]]])(
    'shuts it down when it stopped answering, with %j on it (T-29, W-25)',
    async (live) => {
      const world = new WorkerWorld();
      await world.bringUp(...live);
      world.list = () => ({ ...failure, durationMs: 1 });
      await world.clock.advance(2_000);
      await world.probe();
      expect([world.state, world.runners]).toEqual(['shutdown', live]);
      expect(world.outcome).toBe('success');
    },
  );

  it('keeps what is listed, ends what is not, leaves what is starting (T-30, P-18, W-18)', async () => {
    const world = new WorkerWorld();
    await world.bringUp(uuid1);
    await world.probe();
    expect([world.state, world.runners]).toEqual(['running', [uuid1]]);
    world.list = () => listing();
    await world.probe();
    expect([world.state, world.runners, world.exits()]).toEqual(['idle', [], [uuid1]]);
    world.start = () => new Promise(() => {});
    await world.assign(uuid2);
    await world.clock.advance(2_000);
    await world.probe();
    expect([world.state, world.runners]).toEqual(['running', [uuid2]]);
  });

  it('does nothing when visited during a visit (T-55, P-4)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    const slow = deferred<ReturnType<typeof listing>>();
    world.list = () => slow.promise;
    await world.probe();
    const before = world.count('list');
    await world.probe();
    expect(world.count('list')).toBe(before);
    slow.resolve(listing());
    await settle();
  });

  it('applies a listing though the cloud listed the instance meanwhile (T-46, K-7)', async () => {
    const world = new WorkerWorld();
    await world.bringUp(uuid1);
    const slow = deferred<ReturnType<typeof listing>>();
    world.list = () => slow.promise;
    await world.probe();
    const { instance } = world.actor.getSnapshot().context;
    await world.send({ type: 'instance.listed', instance: { ...instance, displayName: 'renamed' } });
    slow.resolve(listing());
    await settle();
    expect([world.state, world.exits()]).toEqual(['idle', [uuid1]]);
  });

  it('leaves containers alone when a start completed during the visit (P-20)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    const slow = deferred<ReturnType<typeof listing>>();
    world.list = () => slow.promise;
    await world.probe();
    await world.assign(uuid1);
    slow.resolve(listing());
    await settle();
    expect([world.state, world.runners]).toEqual(['running', [uuid1]]);
    world.list = () => listing();
    await world.probe();
    expect(world.state).toBe('idle');
  });
});

describe('broken instances', () => {
  it('drains one whose lock is stale for too long (T-42, P-15)', async () => {
    const world = new WorkerWorld();
    await world.bringUp(uuid2);
    world.list = () => listing({ live: [uuid2], stale: [uuid1] });
    await world.probe();
    expect(world.behavior).toBe('run');
    await world.clock.advance(10_000);
    await world.probe();
    expect([world.behavior, world.state]).toEqual(['drain', 'running']);
  });

  it('does not mind different short-lived stale locks, nor one that came back (T-43, K-12)', async () => {
    const world = new WorkerWorld();
    await world.bringUp();
    for (const stale of [[uuid1], [uuid2], [], [uuid1]]) {
      world.list = () => ({ ok: true, durationMs: 1, listing: { ...emptyListing, stale } });
      await world.probe();
      await world.clock.advance(4_000);
    }
    expect([world.behavior, world.state]).toEqual(['run', 'idle']);
  });

  it.each([
    ['run', 'shutdown', 'drain'],
    ['hold', 'idle', 'hold'],
    ['drain', 'shutdown', 'drain'],
  ])(
    'treats a broken report of an idle worker on %s as it should (T-44, I-7)',
    async (tag, state, behavior) => {
      const world = new WorkerWorld();
      await world.bringUp();
      if (tag !== 'run') await world.send({ type: `operator.${tag as 'hold'}`, because: 'test' });
      world.list = () => listing({ broken: true });
      await world.probe();
      expect([world.state, world.behavior]).toEqual([state, behavior]);
    },
  );

  it('lets the containers of a broken worker end first (T-45, I-4)', async () => {
    const world = new WorkerWorld();
    await world.bringUp(uuid1);
    world.list = () => listing({ live: [uuid1], broken: true });
    await world.probe();
    expect([world.state, world.behavior]).toEqual(['running', 'drain']);
    world.list = () => listing({ broken: true });
    await world.probe();
    expect(world.state).toBe('shutdown');
  });

  it('gives up a booting one at once, as a failed boot (W-26, W-42)', async () => {
    const world = new WorkerWorld();
    world.list = () => listing({ broken: true });
    await world.probe();
    expect([world.state, world.outcome]).toEqual(['shutdown', 'failure']);
  });
});

describe('failed starts', () => {
  const refused = (fault: StartFault): StartOutcome => ({
    ...failure,
    fault,
    ranNothing: true,
    reason: 'cannot write to /var/lib/longshore: No space left on device',
  });
  const uuids = Array.from({ length: 6 }, (_, n) => `zzzzz-dz642-00000000000000${n}`);
  const inService = async (): Promise<WorkerWorld> => {
    const world = new WorkerWorld({ expected: false, settings: { maxFailedStarts: 3 } });
    await world.bringUp();
    return world;
  };

  it('end the container here at once when nothing ran, and the instance is free for another', async () => {
    const world = await inService();
    world.start = () => refused('line');
    await world.assign(uuid1);
    expect([world.state, world.runners, world.exits()]).toEqual(['idle', [], [uuid1]]);
  });

  it('drain the instance as broken when three in a row fail, whatever the containers, with the last reason', async () => {
    const world = await inService();
    world.start = () => refused('instance');
    for (const uuid of uuids.slice(0, 2)) await world.assign(uuid);
    expect(world.behavior).toBe('run');
    await world.assign(uuids[2]!);
    expect(world.behavior).toBe('drain');
    expect(world.actor.getSnapshot().context.behaviorBecause).toBe(
      'broken: 3 starts in a row failed; the last: cannot write to /var/lib/longshore: No space left on device',
    );
  });

  it('are counted anew after a start that succeeds', async () => {
    const world = await inService();
    const outcomes: StartOutcome[] = ['instance', 'instance', 'ok', 'instance', 'instance'].map((word) =>
      word === 'ok' ? { ok: true } : refused('instance'),
    );
    world.start = () => outcomes.shift()!;
    for (const uuid of uuids.slice(0, 5)) await world.assign(uuid);
    expect(world.behavior).toBe('run');
  });

  it.each(['line', 'container', 'daemon', 'occupied'] as const)(
    'do not speak against the instance when they are the fault of: %s',
    async (fault) => {
      const world = await inService();
      world.start = () => refused(fault);
      for (const uuid of uuids) await world.assign(uuid);
      expect(world.behavior).toBe('run');
    },
  );

  it('drain the instance at once when it says itself that it can run nothing', async () => {
    const world = await inService();
    world.start = () => refused('broken-instance');
    await world.assign(uuid1);
    expect(world.behavior).toBe('drain');
  });
});
