import fc from 'fast-check';
import { expect, it } from 'vitest';
import { initialPlanMemory } from '../../src/policy/container-limit.js';
import { container, SchedulingWorld, typeT } from '../support/scheduling-world.js';

const size = 8;

interface Case {
  /** VCPUs and priority of each locked container. */
  wishes: readonly (readonly [number, bigint])[];
  /** VCPUs in use on each idle or busy instance, and whether it still boots. */
  fleet: readonly { used: readonly number[]; isBooting: boolean }[];
  atQuota: boolean;
}

const cases: fc.Arbitrary<Case> = fc.record({
  wishes: fc.array(fc.tuple(fc.integer({ min: 1, max: size }), fc.bigInt({ min: 1n, max: 4n })), {
    maxLength: 25,
  }),
  fleet: fc.array(
    fc.record({
      used: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
      isBooting: fc.boolean(),
    }),
    { maxLength: 6 },
  ),
  atQuota: fc.boolean(),
});

/** What a pass does with it, told by arithmetic of this test's own: VCPUs only, one instance type. */
function judge({ wishes, fleet, atQuota }: Case) {
  const world = new SchedulingWorld([typeT(size)]);
  world.memory = initialPlanMemory({ initialQuotaEstimate: 0 }, 0);
  world.atQuota = atQuota;
  world.add(...wishes.map(([vcpus, priority], at) => container(at + 1, { vcpus, priority, ram: 1 })));
  const free = new Map<string, number>();
  fleet.forEach(({ used, isBooting }, machine) => {
    const running = used.map((vcpus, at) => container(1_000 + 10 * machine + at, { vcpus, ram: 1 }));
    if (isBooting) return void world.instance(`t${size}`, 'booting');
    world.add(...running.map((each) => ({ ...each, state: 'Running' as const })));
    const numbers = running.map((_, at) => 1_000 + 10 * machine + at);
    const { instanceId } = world.instance(`t${size}`, used.length > 0 ? 'running' : 'idle', ...numbers);
    free.set(instanceId, size - used.reduce((sum, each) => sum + each, 0));
  });
  const { actions } = world.pass();
  const started = new Set<string>();
  for (const action of actions) {
    if (action.kind !== 'start') continue;
    started.add(action.uuid);
    const left = free.get(action.instanceId)! - world.entries.get(action.uuid)!.container.constraints.vcpus;
    free.set(action.instanceId, left);
  }
  const waiting = wishes.flatMap(([vcpus, priority], at) => {
    const { uuid, createdAt } = container(at + 1);
    return started.has(uuid) ? [] : [{ uuid, vcpus, priority, createdAt }];
  });
  return { actions, free, started, waiting };
}

it('gives no instance more than it has', () => {
  fc.assert(
    fc.property(cases, (each) => {
      expect(Math.min(0, ...judge(each).free.values())).toBe(0);
    }),
    { numRuns: 300 },
  );
});

it('lets the first in line wait at quota only when it fits on nothing there is', () => {
  fc.assert(
    fc.property(cases, ({ wishes, fleet }) => {
      const ready = fleet.filter(({ isBooting }) => !isBooting);
      const { actions, free, waiting } = judge({ wishes, fleet: ready, atQuota: true });
      for (const action of actions) if (action.kind === 'shutdown') free.delete(action.instanceId);
      const [first] = waiting.toSorted(
        (a, b) => Number(b.priority - a.priority) || a.createdAt - b.createdAt,
      );
      if (first) expect(Math.max(0, ...free.values())).toBeLessThan(first.vcpus);
    }),
    { numRuns: 300 },
  );
});

it('starts none before one of the same size with a higher priority', () => {
  fc.assert(
    fc.property(cases, (each) => {
      const { started, waiting } = judge(each);
      each.wishes.forEach(([vcpus, priority], at) => {
        if (!started.has(container(at + 1).uuid)) return;
        const passedOver = waiting.filter((other) => other.vcpus === vcpus && other.priority > priority);
        expect(passedOver).toEqual([]);
      });
    }),
    { numRuns: 300 },
  );
});

it('asks for no more instances than containers wait for, and for none at quota', () => {
  fc.assert(
    fc.property(cases, (each) => {
      const { actions, waiting } = judge(each);
      const created = actions.filter(({ kind }) => kind === 'create').length;
      expect(created).toBeLessThanOrEqual(each.atQuota ? 0 : waiting.length);
    }),
    { numRuns: 300 },
  );
});

const sizes = [1, 2, 4];
const fourTypes = [...sizes, 8].map((n) => typeT(n));

/** Idle, booting or busy instances of several types at quota, and containers each of which fits one type only. */
const crowds = fc.record({
  wishes: fc.array(
    fc.record({
      size: fc.constantFrom(1, 2, 4, 8),
      priority: fc.bigInt({ min: 1n, max: 4n }),
      isQueued: fc.boolean(),
    }),
    { minLength: 1, maxLength: 12 },
  ),
  fleet: fc.array(
    fc.record({
      size: fc.constantFrom(...sizes),
      state: fc.constantFrom('idle', 'booting', 'running', 'shutdown'),
    }),
    { maxLength: 12 },
  ),
  out: fc.subarray([1, 2, 4, 8]),
  onTrial: fc.subarray([1, 2, 4, 8]),
  room: fc.constantFrom('vcpus' as const, 'one' as const, 'held' as const),
});

it('gives up at quota only what none ahead can use, for a type that is not known to be out, and no more than it needs (SC-53, SC-82)', () => {
  fc.assert(
    fc.property(crowds, ({ wishes, fleet, out, onTrial, room }) => {
      const world = new SchedulingWorld(fourTypes);
      world.memory = initialPlanMemory({ initialQuotaEstimate: 0 }, 0);
      Object.assign(world, { atQuota: true, room });
      for (const size of out) world.full.add(`t${size}`);
      for (const size of onTrial) world.onTrial.add(`t${size}`);
      fleet.forEach(({ size, state }, at) => {
        if (state !== 'running') return void world.instance(`t${size}`, state);
        world.add(container(100 + at, { vcpus: size, state: 'Running' }));
        world.instance(`t${size}`, 'running', 100 + at);
      });
      wishes.forEach(({ size, priority, isQueued }, at) =>
        world.add(container(at + 1, { vcpus: size, priority, state: isQueued ? 'Queued' : 'Locked' })),
      );
      const { actions, waits, order } = world.pass();
      const victims = actions.flatMap((action) => (action.kind === 'shutdown' ? [action.instanceId] : []));
      if (room === 'held') expect(victims).toEqual([]);
      const waiting = order.filter((_, at) => waits[at]?.code === 'cloud-limit').map(({ container: c }) => c);
      const sizeOf = ({ constraints }: (typeof waiting)[number]): number => constraints.vcpus;
      // For nobody whose type is out.
      const served = waiting.filter((each) => !out.includes(sizeOf(each)));
      if (served.length === 0) expect(victims).toEqual([]);
      const idle = new Map(world.instances.map((view) => [view.instanceId, view]));
      for (const id of victims) {
        const { instanceType, containerUuids, workerState } = idle.get(id)!;
        expect([containerUuids, ['idle', 'booting'].includes(workerState)]).toEqual([[], true]);
        // One that fits it and waits still is behind another that waits.
        const fitting = served.findIndex((each) => sizeOf(each) === instanceType.vcpus);
        expect(fitting).not.toBe(0);
      }
      // No more than those that wait need, each instance for one of them.
      const needed = served.reduce((sum, each) => sum + (room === 'one' ? 1 : sizeOf(each)), 0);
      expect(victims.length).toBeLessThanOrEqual(needed);
      for (const size of onTrial) {
        const ofTrial = served.filter((each) => sizeOf(each) === size);
        if (ofTrial.length < served.length) continue;
        const largest = Math.max(0, ...served.map((each) => sizeOf(each)));
        expect(victims.length).toBeLessThanOrEqual(room === 'one' ? 1 : largest);
      }
    }),
    { numRuns: 500 },
  );
});

it('gives a lock up at quota only where one of higher priority is queued, but for the first while there is no instance (SC-12, SC-80)', () => {
  fc.assert(
    fc.property(crowds, ({ wishes, fleet, out, onTrial, room }) => {
      const world = new SchedulingWorld(fourTypes);
      world.memory = initialPlanMemory({ initialQuotaEstimate: 0 }, 0);
      Object.assign(world, { atQuota: true, room });
      for (const size of out) world.full.add(`t${size}`);
      for (const size of onTrial) world.onTrial.add(`t${size}`);
      for (const { size, state } of fleet)
        world.instance(`t${size}`, state === 'idle' ? 'booting' : 'shutdown');
      wishes.forEach(({ size, priority, isQueued }, at) =>
        world.add(container(at + 1, { vcpus: size, priority, state: isQueued ? 'Queued' : 'Locked' })),
      );
      const { actions } = world.pass();
      const unlocked = actions.flatMap((each) => (each.kind === 'unlock' ? [each.uuid] : []));
      const queued = wishes.flatMap(({ priority, isQueued, size }) =>
        isQueued && !out.includes(size) ? [priority] : [],
      );
      const idle = unlocked.filter((uuid) => {
        const { priority } = world.entries.get(uuid)!.container;
        return !queued.some((each) => each > priority);
      });
      expect(idle.length).toBeLessThanOrEqual(fleet.length === 0 ? 1 : 0);
    }),
    { numRuns: 500 },
  );
});
