import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextPlanMemory, supervisorLimit } from '../../src/policy/container-limit.js';
import { describeWait, unblocks, type WaitReason } from '../../src/policy/wait-reason.js';
import { acted, container, gibibyte, SchedulingWorld, typeT, waitOf } from '../support/scheduling-world.js';

const upTo16 = Array.from({ length: 16 }, (_, index) => typeT(index + 1));
const from2 = upTo16.slice(1);
const four = [1, 2, 3, 4].map((n) => container(n));

describe('a scheduling pass', () => {
  it('starts on the cheapest type only, and creates for the rest (T-41, SC-60, SC-63)', () => {
    const world = new SchedulingWorld(upTo16).add(...four);
    world.instance('t1');
    world.instance('t2');
    world.instance('t2');
    const result = world.pass();
    expect([acted(result, 'create'), acted(result, 'start')]).toEqual([['t1', 't1', 't1'], [4]]);
  });

  it('packs containers on instances it creates (T-42, SC-56)', () => {
    const world = new SchedulingWorld(from2, 1.5).add(...four);
    const result = world.pass();
    expect([acted(result, 'create'), acted(result, 'start')]).toEqual([['t2', 't2'], []]);
  });

  it('uses a larger idle instance within the price factor only (T-43, SC-62)', () => {
    const world = new SchedulingWorld(from2, 1.5).add(...four);
    world.instance('t3');
    const result = world.pass();
    expect([acted(result, 'create'), acted(result, 'start')]).toEqual([['t2'], [4, 3, 2]]);
    const dear = new SchedulingWorld(from2, 1.5).add(...four);
    dear.instance('t4');
    expect([acted(dear.pass(), 'create'), acted(dear.pass(), 'start')]).toEqual([['t2', 't2'], []]);
  });

  it('counts what runs, and leaves an instance on hold alone (T-44, SC-13, SC-60)', () => {
    const world = new SchedulingWorld(from2, 1.5).add(...four);
    world.instance('t3', 'running', 4);
    const result = world.pass();
    expect([acted(result, 'create'), acted(result, 'start')]).toEqual([['t2'], [3, 2]]);
    const held = new SchedulingWorld(from2, 1.5).add(...four.slice(0, 3), container(4));
    held.instance('t3').idleBehavior = 'hold';
    expect([acted(held.pass(), 'create'), acted(held.pass(), 'start')]).toEqual([['t2', 't2'], []]);
  });

  it('passes over an instance that is being set up again after a reboot', () => {
    for (const state of ['idle', 'running'] as const) {
      const world = new SchedulingWorld(from2, 1.5).add(container(1), container(2));
      const running = state === 'running' ? [2] : [];
      world.instance('t3', state, ...running).isBeingSetUp = true;
      expect([acted(world.pass(), 'create'), acted(world.pass(), 'start')]).toEqual([['t2'], []]);
      world.instances[0]!.isBeingSetUp = false;
      expect(acted(world.pass(), 'start')).not.toEqual([]);
    }
  });

  it('respects the limit of containers on an instance (T-45, SC-60)', () => {
    const world = new SchedulingWorld(from2, 1.5).add(...four);
    world.maxPerInstance = 1;
    world.instance('t2');
    const result = world.pass();
    expect([acted(result, 'create'), acted(result, 'start')]).toEqual([['t2', 't2', 't2'], [4]]);
    const large = new SchedulingWorld([typeT(8)]).add(...four);
    large.maxPerInstance = 2;
    expect(acted(large.pass(), 'create')).toEqual(['t8', 't8']);
  });

  it('counts on unknown and booting instances, and starts once they are idle (T-46, SC-62)', () => {
    const world = new SchedulingWorld(from2, 1.5).add(...four);
    world.instance('t2', 'unknown');
    const first = world.pass();
    expect([acted(first, 'create'), acted(first, 'start')]).toEqual([['t2'], []]);
    const fresh = world.instance('t2', 'booting');
    expect(world.pass().actions).toEqual([]);
    fresh.workerState = 'idle';
    expect(acted(world.pass(), 'start')).toEqual([4, 3]);
  });

  it('packs many shapes (T-47, NS-12, SC-56)', () => {
    const world = new SchedulingWorld([1, 2, 4, 8, 16].map((n) => typeT(n)));
    world.add(
      container(1, { ram: 5 * gibibyte }),
      container(2, { vcpus: 5 }),
      container(3, { cacheDisk: 5 * gibibyte }),
      container(4, { vcpus: 9 }),
      ...[5, 6, 7, 8].map((n) => container(n, { vcpus: 0, ram: 2 ** 27, cacheDisk: 2 ** 27 })),
    );
    expect(acted(world.pass(), 'create')).toEqual(['t1', 't16', 't8']);
  });

  it('keeps an instance that one container fills for that one (T-48, NS-14)', () => {
    const world = new SchedulingWorld(from2).add(container(1), container(6, { vcpus: 2 }));
    world.add(...[2, 3, 4, 5].map((n) => container(n, { vcpus: 0, ram: 2 ** 20 })));
    expect(acted(world.pass(), 'create')).toEqual(['t2', 't2']);
  });

  it('makes room at quota for the first in line (T-49, SC-53, SC-80, SC-81, SC-82)', () => {
    const world = new SchedulingWorld(upTo16).add(container(2, { vcpus: 2 }), container(3, { vcpus: 3 }));
    world.instance('t2');
    world.instance('t2');
    world.atQuota = true;
    const result = world.pass();
    expect(acted(result, 'start')).toEqual([]);
    expect(acted(result, 'shutdown').sort()).toEqual(['i-1', 'i-2']);
    // Both wait for quota alike: giving a lock up helps none of them.
    expect([acted(result, 'create'), acted(result, 'unlock')]).toEqual([[], []]);
    world.atQuota = false;
    world.memory = { maxContainers: 10, instancesWithinQuota: 0, heeded503At: 0 };
    const free = world.pass();
    expect([acted(free, 'start'), acted(free, 'create'), acted(free, 'unlock')]).toEqual([[2], ['t3'], []]);
  });

  it('unlocks at quota only those that are in the way of one with a higher priority, the first in line never (SC-12, SC-80, SC-81)', () => {
    const world = new SchedulingWorld(upTo16);
    world.instance('t1', 'running', 20);
    world.add(container(20, { state: 'Running' }), ...[3, 4, 5, 6].map((n) => container(n)));
    world.atQuota = true;
    for (const priority of [2n, 3n]) {
      world.add(container(11, { state: 'Queued', priority }));
      expect(acted(world.pass(), 'unlock')).toEqual([]);
    }
    world.add(container(11, { state: 'Queued', priority: 5n }));
    expect(acted(world.pass(), 'unlock')).toEqual([4, 3]);
    world.add(container(11, { state: 'Queued', priority: 50n }));
    expect(acted(world.pass(), 'unlock')).toEqual([5, 4, 3]);
    // One that could not have an instance anyway, or pauses, stands behind nobody.
    world.add(container(11, { state: 'Queued', priority: 50n, vcpus: 16 }));
    world.full.add('t16');
    expect(acted(world.pass(), 'unlock')).toEqual([]);
    world.add(container(11, { state: 'Queued', priority: 50n, notBeforeAt: world.now + 1 }));
    expect(acted(world.pass(), 'unlock')).toEqual([]);
  });

  it('takes no instance away at quota for one whose types cannot be had anyway (SC-42, SC-53, SC-54)', () => {
    const world = new SchedulingWorld(upTo16);
    world.add(container(9, { vcpus: 4 }), container(8, { vcpus: 4, state: 'Queued' }), container(1));
    world.instance('t1', 'booting');
    for (const type of ['t4', 't6', 't8', 't16']) world.full.add(type);
    world.atQuota = true;
    const result = world.pass();
    expect(result.actions).toEqual([]);
    expect(waitOf(result, 9)).toMatchObject({ code: 'types-at-capacity', position: 1 });
    expect(waitOf(result, 1)).toMatchObject({ code: 'new-instance' });
  });

  it('takes at quota no more instances away than the first in line needs, and uses the others (SC-82)', () => {
    const world = new SchedulingWorld(upTo16);
    world.add(container(9, { vcpus: 4 }), ...[1, 2, 3].map((n) => container(n, { vcpus: 2 })));
    world.instance('t2', 'shutdown');
    for (const _ of [1, 2, 3]) world.instance('t2');
    world.atQuota = true;
    const result = world.pass();
    expect(acted(result, 'shutdown')).toEqual(['i-2']);
    expect([acted(result, 'start'), acted(result, 'unlock')]).toEqual([[3, 2], []]);
    expect(waitOf(result, 9)).toMatchObject({ code: 'cloud-limit', position: 1 });
  });

  it('makes room for one container only of a type that may be lacking still (SC-54, SC-82, SC-93)', () => {
    const world = new SchedulingWorld(upTo16);
    world.add(...[9, 8, 7].map((n) => container(n, { vcpus: 4 })), container(1));
    for (const _ of [1, 2, 3, 4, 5, 6]) world.instance('t2', 'booting');
    world.instance('t1');
    world.onTrial.add('t4');
    for (const type of ['t6', 't8', 't16']) world.full.add(type);
    world.atQuota = true;
    const result = world.pass();
    expect(acted(result, 'shutdown')).toHaveLength(2);
    expect([8, 7].map((n) => waitOf(result, n)?.code)).toEqual(['types-at-capacity', 'types-at-capacity']);
    expect([acted(result, 'start'), acted(result, 'unlock')]).toEqual([[1], []]);
  });

  it('lets others go ahead of one whose types are at capacity (T-50, SC-54, SC-43)', () => {
    const world = new SchedulingWorld(upTo16);
    world.add(
      container(1),
      container(2, { vcpus: 4, state: 'Queued' }),
      container(3, { vcpus: 4 }),
      container(4, { vcpus: 4 }),
    );
    world.instance('t4');
    world.full.add('t4');
    const result = world.pass();
    expect(acted(result, 'start')).toEqual([4]);
    expect(waitOf(result, 3)).toMatchObject({ code: 'types-at-capacity', position: 1 });
    expect([acted(result, 'lock'), acted(result, 'create'), acted(result, 'shutdown')]).toEqual([
      [],
      ['t1'],
      [],
    ]);
  });

  it('starts no more than an overloaded server allows (T-51, SC-40, SC-50)', () => {
    const world = new SchedulingWorld(upTo16);
    world.add(container(5), container(6), container(3), container(2), container(1, { state: 'Queued' }));
    world.instance('t1', 'running', 5);
    world.instance('t1', 'running', 6);
    world.instance('t1');
    world.instance('t1');
    world.memory = { maxContainers: 3, instancesWithinQuota: 0, heeded503At: world.now - 1 };
    world.last503At = world.now - 1;
    const result = world.pass();
    expect(result.actions.map(({ kind }) => kind)).toEqual(['start']);
  });

  it('unlocks workflow runners beyond their limit, without shutting anything down (T-52, SC-33, SC-81)', () => {
    const world = new SchedulingWorld(upTo16);
    world.add(...[1, 2, 3, 4, 5, 6].map((n) => container(n, { supervisor: true })));
    for (const n of [3, 4, 5, 6]) world.instance('t1', 'running', n);
    world.instance('t1');
    world.instance('t1');
    const result = world.pass();
    expect([acted(result, 'unlock'), acted(result, 'shutdown'), acted(result, 'start')]).toEqual([
      [2, 1],
      [],
      [],
    ]);
  });

  it('starts the locked workflow runners first (T-53, SC-33)', () => {
    const world = new SchedulingWorld(upTo16);
    world.add(...[1, 2, 3, 4, 5, 6].map((n) => container(n, { supervisor: true, state: 'Queued' })));
    world.add(container(7, { supervisor: true }), container(8, { supervisor: true }));
    for (let each = 0; each < 3; each++) world.instance('t1');
    const result = world.pass();
    expect(acted(result, 'start')).toEqual([8, 7]);
    expect([acted(result, 'lock'), acted(result, 'unlock'), acted(result, 'shutdown')]).toEqual([[], [], []]);
  });

  it('runs plain containers beside the workflow runners within their limit (T-55, SC-33)', () => {
    const world = new SchedulingWorld(upTo16).add(container(1));
    world.add(...[2, 3, 4].map((n) => container(n, { supervisor: true })));
    for (let each = 0; each < 8; each++) world.instance('t1');
    const result = world.pass();
    expect(acted(result, 'start')).toEqual([4, 3, 1]);
    expect(waitOf(result, 2)).toEqual({ code: 'supervisor-limit', position: 1 });
  });

  it('locks a queued container before it creates for it (T-57, SC-45)', () => {
    const result = new SchedulingWorld(upTo16).add(container(1, { state: 'Queued' })).pass();
    expect(result.actions).toMatchObject([{ kind: 'lock' }]);
    expect(waitOf(result, 1)).toEqual({ code: 'locking' });
  });

  it('goes on with others when the provider slows creations down (T-63, SC-55, W-9)', () => {
    const world = new SchedulingWorld(upTo16).add(container(1), container(2, { vcpus: 2 }));
    world.creatable = 0;
    world.instance('t1');
    const result = world.pass();
    expect(acted(result, 'start')).toEqual([1]);
    expect(waitOf(result, 2)).toMatchObject({ code: 'paced' });
  });

  it('puts nothing beside a container nobody knows (T-65, SC-13)', () => {
    const world = new SchedulingWorld(upTo16).add(container(1, { vcpus: 8 }));
    world.instance('t8', 'running', 99);
    const result = world.pass();
    expect([acted(result, 'start'), acted(result, 'create')]).toEqual([[], ['t8']]);
  });

  it('subtracts the scratch of what runs (T-66, W-7)', () => {
    const world = new SchedulingWorld([typeT(8)]);
    world.add(container(1, { scratch: 6 * gibibyte }), container(2, { scratch: 4 * gibibyte }));
    world.instance('t8', 'running', 1);
    const result = world.pass();
    expect([acted(result, 'start'), acted(result, 'create')]).toEqual([[], ['t8']]);
  });

  it('keeps filling the instances there are while at quota (W-8)', () => {
    const world = new SchedulingWorld([typeT(8)]).add(...[1, 2, 3, 4, 5].map((n) => container(n)));
    world.instance('t8', 'running', 5);
    world.atQuota = true;
    expect(acted(world.pass(), 'start')).toEqual([4, 3, 2, 1]);
  });

  it('does not let an idle priority-0 workflow runner take a place (W-16)', () => {
    const world = new SchedulingWorld(upTo16);
    world.add(
      ...[1, 2, 3].map((n) => container(n, { supervisor: true, priority: n === 3 ? 0n : BigInt(n) })),
    );
    world.instance('t1');
    world.instance('t1');
    expect(acted(world.pass(), 'start')).toEqual([2, 1]);
  });

  it('starts the best of each size, plans the next on what boots, and creates for the last (T-56, SC-62)', () => {
    const world = new SchedulingWorld([typeT(1), typeT(2)]);
    for (const name of ['t1', 't2']) {
      world.instance(name, 'idle');
      world.instance(name, 'booting');
    }
    for (const n of [1, 2, 3]) world.add(container(n), container(n + 10, { vcpus: 2 }));
    const result = world.pass();
    expect([acted(result, 'start'), acted(result, 'create')]).toEqual([
      [13, 3],
      ['t2', 't1'],
    ]);
    expect([2, 12].map((n) => waitOf(result, n))).toMatchObject([
      { code: 'new-instance', instanceType: 't1' },
      { code: 'new-instance', instanceType: 't2' },
    ]);
  });

  it('gives no second process to one whose earlier attempt is still there (T-58, SC-31, SC-44)', () => {
    const world = new SchedulingWorld(upTo16).add(container(1, { state: 'Queued' }), container(2));
    world.instance('t1', 'running', 1);
    world.instance('t1', 'running', 2);
    world.instance('t1');
    const result = world.pass();
    expect(result.actions).toEqual([]);
    expect([1, 2].map((n) => waitOf(result, n)?.code)).toEqual(['previous-attempt', 'preparing']);
  });

  it('keeps to the first answer about capacity throughout a pass (T-64, SC-65)', () => {
    const world = new SchedulingWorld([typeT(4)]).add(container(3, { vcpus: 4 }), container(2, { vcpus: 4 }));
    let asked = 0;
    world.isFull = () => asked++ === 0;
    const result = world.pass();
    expect([asked, acted(result, 'create')]).toEqual([1, []]);
    expect([3, 2].map((n) => waitOf(result, n))).toMatchObject([
      { code: 'types-at-capacity', position: 1 },
      { code: 'types-at-capacity', position: 2 },
    ]);
  });

  it('never locks and unlocks the same containers by turns (T-54, SC-12, SC-16)', () => {
    const world = new SchedulingWorld([typeT(1)]);
    for (let n = 1; n <= 8; n++) world.add(container(n, { state: 'Queued', priority: 1n }));
    world.instance('t1');
    world.instance('t1');
    world.atQuota = true;
    const unlocks = new Map<string, number>();
    let started = 0;
    for (let pass = 0; pass < 30; pass++) {
      for (const action of world.pass().actions) {
        if (!('uuid' in action)) continue;
        const entry = world.entries.get(action.uuid)!;
        const become = (state: 'Locked' | 'Queued'): void =>
          void world.entries.set(action.uuid, { ...entry, container: { ...entry.container, state } });
        if (action.kind === 'lock') become('Locked');
        if (action.kind === 'unlock') {
          become('Queued');
          unlocks.set(action.uuid, (unlocks.get(action.uuid) ?? 0) + 1);
        }
        if (action.kind === 'start') {
          started++;
          world.occupy(action.instanceId, action.uuid);
        }
      }
    }
    expect([started, Math.max(0, ...unlocks.values()) <= 1]).toEqual([2, true]);
  });

  it('settles at the limits of the cloud with a reason for each (T-78, SC-54, SC-67, W-17)', () => {
    const world = new SchedulingWorld(
      [1, 2, 3, 4, 6, 8, 16].map((n) => typeT(n)),
      1.5,
    );
    // An overload just heeded keeps the limit at the estimate of four.
    world.last503At = world.now - 1;
    world.memory = { maxContainers: 4, instancesWithinQuota: 0, heeded503At: world.last503At };
    for (const name of ['t4', 't6', 't8', 't16']) world.lacking.add(name);
    world.quota = 4;
    for (let n = 0; n < 20; n++) {
      world.add(container(100 - n, { vcpus: (n % 8) + 1, ram: 2 ** 20, state: 'Queued' }));
    }
    for (let pass = 0; pass < 20; pass++) world.live(world.pass());
    const result = world.pass();
    const seen = Array.from({ length: 20 }, (_, n) => {
      const state = world.entries.get(container(100 - n).uuid)!.container.state;
      return [world.running.has(container(100 - n).uuid) ? 'Running' : state, waitOf(result, 100 - n)];
    });
    expect(seen.slice(0, 3).map(([state]) => state)).toEqual(['Running', 'Running', 'Running']);
    expect(seen[3]).toEqual(['Locked', { code: 'types-at-capacity', position: 1, instanceTypes: 't4, t6' }]);
    // One that cannot be had does not use the limit up: number 8 takes the fourth place, and nobody after it starts.
    expect(seen[8]![0]).toBe('Running');
    expect(seen.filter(([state]) => state === 'Running')).toHaveLength(4);
    const positions = seen.flatMap(([, wait]) =>
      wait && typeof wait === 'object' && 'position' in wait ? [wait.position] : [],
    );
    expect(positions.sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, n) => n + 1));
    expect(seen[19]![1]).toMatchObject({ code: 'cluster-limit', position: 16 });
    expect(seen.filter(([state]) => state === 'Locked').length).toBeLessThanOrEqual(2);
  });

  it('asks for nothing in protected mode and says why, and starts on what there is', () => {
    const world = new SchedulingWorld(upTo16).add(container(2), container(1, { vcpus: 2 }));
    world.instance('t1');
    world.creatable = 0;
    world.protection = { because: '5 instances in a row did not boot', until: 5_000 };
    const result = world.pass();
    expect([acted(result, 'start'), acted(result, 'create')]).toEqual([[2], []]);
    const wait = waitOf(result, 1)!;
    expect(wait).toMatchObject({ code: 'protected', position: 1 });
    expect(describeWait(wait)).toContain('5 instances in a row');
    expect(unblocks(wait)).toContain("breakers reset 'boot: all'");
  });

  it('lets a failed container pause before its next attempt', () => {
    const world = new SchedulingWorld(upTo16).add(container(1, { state: 'Queued', notBeforeAt: 1_000_500 }));
    const early = world.pass();
    expect([early.actions, waitOf(early, 1)]).toEqual([[], { code: 'backing-off', until: 1_000_500 }]);
    world.now = 1_000_500;
    expect(acted(world.pass(), 'lock')).toEqual([1]);
  });

  it('asks for on-demand instances only while there is no spot capacity, and only where that is allowed', () => {
    const types = [
      typeT(2, { name: 'spot', providerType: 's', preemptible: true, price: 0.1 }),
      typeT(2, { name: 'plain', price: 0.3 }),
    ];
    const world = new SchedulingWorld(types).add(
      container(2, { preemptible: true, onDemandFallback: true, vcpus: 2 }),
      container(1, { preemptible: true, vcpus: 2 }),
    );
    expect(acted(world.pass(), 'create')).toEqual(['spot', 'spot']);
    world.full.add('spot');
    const result = world.pass();
    expect(acted(result, 'create')).toEqual(['plain']);
    expect(waitOf(result, 1)).toMatchObject({ code: 'types-at-capacity', instanceTypes: 'spot' });
  });

  it('names an idle instance that does not hold what its type should (SC-61)', () => {
    const world = new SchedulingWorld([typeT(4)]).add(container(1, { vcpus: 4 }));
    const view = world.instance('t4');
    view.instanceType = typeT(4, { ramBytes: 1 });
    expect(world.pass().suspects).toEqual([{ instanceId: 'i-1', uuid: container(1).uuid }]);
  });

  it('says of every container that waits what would let it go on', () => {
    const reasons: WaitReason[] = [
      { code: 'unplanned' },
      { code: 'preparing' },
      { code: 'priority-zero', state: 'Queued' },
      { code: 'supervisor-limit', position: 3 },
      { code: 'previous-attempt' },
      { code: 'new-instance', instanceType: 't1' },
      { code: 'locking' },
      { code: 'types-at-capacity', position: 3, instanceTypes: 't1' },
      { code: 'paced', position: 3, retryAt: 1 },
      { code: 'protected', position: 3, until: undefined, because: 'no boot succeeds' },
      { code: 'backing-off', until: 1 },
      { code: 'cloud-limit', position: 3 },
      { code: 'cluster-limit', position: 3 },
    ];
    for (const reason of reasons) {
      expect(describeWait(reason)).toMatch(/^[A-Z].*\.$/);
      expect(unblocks(reason)).toMatch(/^[A-Z].*\.$/);
      expect(describeWait(reason).includes('Position 3 in the queue')).toBe('position' in reason);
    }
  });

  it('gives the same orders for the same world, one reason to each that waits, and never too much to an instance', () => {
    const wish = fc.record({
      vcpus: fc.integer({ min: 0, max: 6 }),
      state: fc.constantFrom('Queued' as const, 'Locked' as const),
      priority: fc.bigInt({ min: 0n, max: 5n }),
    });
    const fleet = fc.array(
      fc.tuple(fc.constantFrom('t1', 't2', 't4', 't8'), fc.constantFrom('idle' as const, 'booting' as const)),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(
        fc.array(wish, { maxLength: 30 }),
        fleet,
        fc.boolean(),
        fc.nat(5),
        (wishes, machines, atQuota, creatable) => {
          const build = (): SchedulingWorld => {
            const world = new SchedulingWorld(
              [1, 2, 4, 8].map((n) => typeT(n)),
              3,
            );
            world.add(...wishes.map((each, index) => container(index + 1, { ...each, ram: 2 ** 20 })));
            for (const [name, state] of machines) world.instance(name, state);
            Object.assign(world, { atQuota, creatable });
            return world;
          };
          const world = build();
          const result = world.pass();
          expect(build().pass().actions).toEqual(result.actions);
          const used = new Map<string, number>();
          const started = new Set<string>();
          for (const action of result.actions) {
            if (action.kind !== 'start') continue;
            expect(started.has(action.uuid)).toBe(false);
            started.add(action.uuid);
            const { vcpus } = world.entries.get(action.uuid)!.needs;
            used.set(action.instanceId, (used.get(action.instanceId) ?? 0) + vcpus);
          }
          for (const view of world.instances) {
            expect(used.get(view.instanceId) ?? 0).toBeLessThanOrEqual(view.instanceType.vcpus);
          }
          expect(result.waits.every((wait) => wait !== undefined)).toBe(true);
          expect(acted(result, 'create').length).toBeLessThanOrEqual(creatable);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('the limits of a pass', () => {
  const memory = { maxContainers: 64, instancesWithinQuota: 0, heeded503At: 0 };
  const input = { now: 100_000, running: 5, totalInstances: 6, atQuota: false, last503At: 0 };

  it('shrink when the server is overloaded and grow again slowly (T-59, SC-20, SC-21)', () => {
    const overloaded = nextPlanMemory(memory, { ...input, last503At: 99_000 });
    expect(overloaded.maxContainers).toBe(4);
    expect(nextPlanMemory(memory, { ...input, running: 0, last503At: 99_000 }).maxContainers).toBe(1);
    expect(
      nextPlanMemory(overloaded, { ...input, now: 160_001, running: 10, last503At: 99_000 }).maxContainers,
    ).toBe(12);
  });

  it('let the fleet grow by one instance at a time after a quota error (T-60, SC-23, SC-24, W-8)', () => {
    const world = new SchedulingWorld([typeT(1)]);
    for (let each = 1; each <= 6; each++) world.instance('t1', 'running', each);
    world.add(
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => container(n, { state: n < 7 ? 'Running' : 'Locked' })),
    );
    world.atQuota = true;
    world.pass();
    world.atQuota = false;
    expect(acted(world.pass(), 'create')).toEqual(['t1']);
  });

  it('unlock even the first in line when there is no instance at all (T-61, SC-80)', () => {
    const world = new SchedulingWorld(upTo16).add(container(1));
    world.atQuota = true;
    expect(acted(world.pass(), 'unlock')).toEqual([1]);
  });

  it('share containers with workflow runners by fraction (T-62, SC-26)', () => {
    expect([
      supervisorLimit(64, 0.5),
      supervisorLimit(1, 0.5),
      supervisorLimit(64, 0),
      supervisorLimit(0, 0.5),
    ]).toEqual([32, 1, 0, 0]);
  });
});

describe('a container that could not be started on an instance', () => {
  const failedOn = (world: SchedulingWorld, n: number, ...ids: [string, number][]): void =>
    void world.avoided.set(container(n).uuid, new Map(ids));

  it('goes to another one, and leaves that one to others', () => {
    const world = new SchedulingWorld([typeT(1)]).add(container(1), container(2));
    world.instance('t1');
    world.instance('t1');
    failedOn(world, 2, ['i-1', world.now + 10_000]);
    const starts = world.pass().actions.filter(({ kind }) => kind === 'start');
    expect(starts).toMatchObject([
      { uuid: container(2).uuid, instanceId: 'i-2' },
      { uuid: container(1).uuid, instanceId: 'i-1' },
    ]);
  });

  it('gets a new instance while one can be had', () => {
    const world = new SchedulingWorld([typeT(1)]).add(container(1));
    world.instance('t1');
    failedOn(world, 1, ['i-1', world.now + 10_000]);
    expect(acted(world.pass(), 'create')).toEqual(['t1']);
  });

  it.each(['at quota', 'at capacity'])('waits for that one when no other can be had: %s', (limit) => {
    const world = new SchedulingWorld([typeT(1)]).add(container(1), container(2));
    world.instance('t1');
    world.atQuota = limit === 'at quota';
    if (limit === 'at capacity') world.full.add('t1');
    failedOn(world, 2, ['i-1', world.now + 10_000]);
    const waiting = world.pass();
    expect(waitOf(waiting, 2)).toEqual({ code: 'avoiding', until: world.now + 10_000 });
    expect([acted(waiting, 'start'), acted(waiting, 'shutdown')]).toEqual([[1], []]);
    world.entries.delete(container(1).uuid);
    world.now += 10_000;
    expect(acted(world.pass(), 'start')).toEqual([2]);
  });

  it('takes that one last, also after its pause', () => {
    const world = new SchedulingWorld([typeT(1)]).add(container(1));
    world.instance('t1');
    world.instance('t1');
    failedOn(world, 1, ['i-1', world.now]);
    expect(world.pass().actions).toMatchObject([{ kind: 'start', instanceId: 'i-2' }]);
  });
});
