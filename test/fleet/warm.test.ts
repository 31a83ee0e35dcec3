import { describe, expect, it } from 'vitest';
import { Upkeep } from '../../src/fleet/maintenance.js';
import { settle } from '../../src/simulation/heap-clock.js';
import { PoolWorld } from '../support/pool-world.js';
import { typeT } from '../support/scheduling-world.js';

const t1 = typeT(1);
const settings = {
  warm: [{ instanceType: 't1', idle: 2, schedule: '', timezone: '' }],
  timeoutIdleMs: 60_000,
  coolDownMs: 0,
  maxInstanceAgeMs: 0,
  maxContainersPerInstance: 0,
  quarantineGraceMs: 900_000,
};

/** One round after another, with the fleet probed between, for this long. */
async function live(world: PoolWorld, upkeep: Upkeep, forMs: number): Promise<void> {
  for (let passed = 0; passed < forMs; passed += upkeep.intervalMs) {
    const instances = world.pool.instances();
    upkeep.run(
      { spare: { unused: instances, creatable: world.pool.creatable() }, isCrowded: false },
      instances,
    );
    await settle();
    for (const { instanceId } of world.pool.instances()) if (instanceId !== '') await world.visit(instanceId);
    await world.clock.advance(upkeep.intervalMs);
  }
}

function upkeepOf(world: PoolWorld, change: Partial<typeof settings> = {}): Upkeep {
  return new Upkeep({
    clock: world.clock,
    pool: world.pool,
    settings: { ...settings, ...change },
    typeNamed: () => t1,
    decided: () => {},
  });
}

describe('warm capacity of a pool', () => {
  it('stays for as long as it is wanted, and goes when it is not', async () => {
    const world = await new PoolWorld({ types: [t1] }).start();
    await live(world, upkeepOf(world), 600_000);
    expect([Object.values(world.states()), world.destroyed]).toEqual([['idle', 'idle'], []]);
    await live(world, upkeepOf(world, { warm: [], coolDownMs: 1 }), 240_000);
    expect(world.destroyed).toHaveLength(2);
  });

  it('replaces what grows too old by draining it', async () => {
    const world = await new PoolWorld({ types: [t1] }).start();
    await live(world, upkeepOf(world, { maxInstanceAgeMs: 600_000 }), 720_000);
    expect(world.destroyed.length).toBeGreaterThanOrEqual(2);
    expect(Object.values(world.states()).filter((state) => state === 'idle')).toHaveLength(2);
  });
});
