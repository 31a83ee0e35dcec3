import { expect, it } from 'vitest';
import { heldGrowthOf } from '../../src/api/growth.js';
import type { ApiDeps } from '../../src/api/deps.js';
import type { CreateOutcome } from '../../src/machines/cloud-effects.js';
import { DispatchWorld } from '../support/dispatch-world.js';
import { container, typeT } from '../support/scheduling-world.js';

type Deps = Parameters<typeof heldGrowthOf>[0];

it('says which breaker keeps the fleet from growing while containers wait, and until when (L-12, SC-67)', async () => {
  const world = new DispatchWorld({ types: [typeT(1)] });
  const refused: CreateOutcome = { ok: false, error: { code: 'quota', message: 'quota exceeded' } };
  world.answer = () => Promise.resolve(refused);
  await world.start();
  const dispatcher = world.queue(container(1), container(2)).dispatch();
  const role = () => ({ state: 'leading' }) as ReturnType<Deps['role']>;
  const list = (): ReturnType<ApiDeps['breakers']['list']> => world.pool.breakers();
  const deps: Deps = { role, pool: world.pool, dispatcher, breakers: { list, reset: () => false } };
  await world.pass(5_000);
  expect(heldGrowthOf(deps)).toBe(
    'no instance can be created, and 2 containers wait (breaker "quota": quota exceeded; next trial at 1970-01-01T00:17:40.000Z)',
  );
  expect(heldGrowthOf({ ...deps, role: () => ({ ...role(), state: 'standing by' }) })).toBeUndefined();
  for (const uuid of [...world.containers.keys()]) world.containers.delete(uuid);
  await world.pass(10_000);
  expect(heldGrowthOf(deps)).toBeUndefined();
  await world.stop();
});
