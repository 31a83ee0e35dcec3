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
