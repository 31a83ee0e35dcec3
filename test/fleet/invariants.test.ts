import fc from 'fast-check';
import { expect, it } from 'vitest';
import { settle } from '../../src/simulation/heap-clock.js';
import { PoolWorld } from '../support/pool-world.js';
import { container, typeT } from '../support/scheduling-world.js';
import { failure, listing } from '../support/worker-world.js';

const ids = ['a', 'b', 'c'];
const step = fc.oneof(
  fc.record({
    kind: fc.constantFrom('visit', 'hold', 'run', 'drain', 'shutdown', 'vanish', 'silence', 'speak'),
    id: fc.constantFrom(...ids),
  }),
  fc.record({ kind: fc.constant('start'), id: fc.constantFrom(...ids), n: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ kind: fc.constant('kill'), n: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ kind: fc.constant('wait'), ms: fc.integer({ min: 1, max: 90_000 }) }),
);

it('keeps its promises whatever happens (T-90, T-91, T-93, T-94, T-99)', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const world = new PoolWorld({ types: [typeT(1)] });
      const alive = new Map<string, Set<string>>(ids.map((id) => [id, new Set()]));
      const silent = new Set<string>();
      world.probe = (id) =>
        silent.has(id) ? { ...failure, durationMs: 1 } : listing({ live: [...alive.get(id)!] });
      for (const id of ids) world.add(id, typeT(1));
      await world.start();
      const ended = new Set<string>();
      for (const each of steps) {
        const views = world.pool.instances();
        const held = views.filter(
          ({ idleBehavior, workerState }) => idleBehavior === 'hold' && workerState !== 'shutdown',
        );
        const { kind, id } = each as Step;
        await perform(world, each as Step, alive, silent);
        check(world, ended);
        for (const { instanceId } of held) {
          if (kind === 'wait' || kind === 'visit' || kind === 'shutdown' || instanceId !== id) {
            expect(world.destroyed).not.toContain(instanceId);
          }
        }
      }
      expect(world.broke).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

interface Step {
  kind: string;
  id: string;
  n: number;
  ms: number;
}

async function perform(
  world: PoolWorld,
  { kind, id, n, ms }: Step,
  alive: Map<string, Set<string>>,
  silent: Set<string>,
): Promise<void> {
  const { pool } = world;
  const isThere = pool.instances().some(({ instanceId }) => instanceId === id);
  if (kind === 'visit') await world.visit(id);
  if (kind === 'silence') silent.add(id);
  if (kind === 'speak') silent.delete(id);
  if (kind === 'vanish') world.cloud.delete(id);
  if (kind === 'shutdown') pool.shutdown(id, 'test');
  if (isThere && (kind === 'hold' || kind === 'run' || kind === 'drain'))
    pool.setIdleBehavior(id, kind, 'test');
  if (kind === 'start' && !pool.running().has(container(n).uuid) && pool.startContainer(id, container(n)))
    alive.get(id)!.add(container(n).uuid);
  if (kind === 'kill') {
    pool.killContainer(container(n).uuid, 'test');
    for (const set of alive.values()) set.delete(container(n).uuid);
  }
  if (kind === 'wait') await world.clock.advance(ms);
  await settle();
}

function check(world: PoolWorld, ended: Set<string>): void {
  const everywhere: string[] = [];
  for (const view of world.pool.instances()) {
    const { instanceId, workerState, containerUuids } = view;
    if (workerState === 'idle' || workerState === 'running') {
      expect([instanceId, workerState === 'running']).toEqual([instanceId, containerUuids.length > 0]);
    }
    if (ended.has(instanceId)) expect([instanceId, workerState]).toEqual([instanceId, 'shutdown']);
    if (workerState === 'shutdown') ended.add(instanceId);
    everywhere.push(...containerUuids);
  }
  expect(new Set(everywhere).size).toBe(everywhere.length);
  for (const [uuid, { exitedAt }] of world.pool.running()) {
    if (exitedAt === undefined) expect(everywhere).toContain(uuid);
  }
}
