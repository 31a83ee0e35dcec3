import { describe, expect, it } from 'vitest';
import { quarantineOrders } from '../../src/daemon/quarantine-orders.js';
import type { Driver } from '../../src/drivers/driver.js';
import { Conduct } from '../../src/fleet/conduct.js';
import type { WorkerSnapshot } from '../../src/machines/worker.js';
import { ScriptedDriver } from '../support/scripted-driver.js';

const id = 'i-1';

function quarantined(lifecycle: unknown, byDriver = false) {
  const orders: string[] = [];
  const conduct = new Conduct({
    clock: { now: () => 1_000_000 },
    isGiven: () => false,
    onStrike: () => {},
    onQuarantine: () => {},
  });
  conduct.breach({ instanceId: id, kind: 'rate', because: 'too fast' });
  const snapshot = { value: { lifecycle }, context: { idleBehavior: 'drain' } } as unknown as WorkerSnapshot;
  const driver: Driver = Object.assign(new ScriptedDriver(), {
    clearQuarantine: () => Promise.resolve(byDriver),
  });
  const quarantine = quarantineOrders({
    cloudCallTimeoutMs: 1_000,
    driver,
    conduct,
    pool: {
      snapshot: (instanceId) => (instanceId === id ? snapshot : undefined),
      setIdleBehavior: (_, behavior) => void orders.push(behavior),
    },
  });
  return { conduct, orders, clear: (instanceId = id) => quarantine.clear(instanceId, false) };
}

describe('an order to clear a quarantine', () => {
  it('puts an instance in service back into use, once', async () => {
    const { conduct, orders, clear } = quarantined('running');
    expect([await clear(), await clear(), await clear('i-2')]).toEqual(['cleared', 'none', 'none']);
    expect([orders, conduct.quarantineOf(id)]).toEqual([['run'], undefined]);
  });

  it('is refused for an instance that is being destroyed, which stays in quarantine', async () => {
    const { conduct, orders, clear } = quarantined({ shutdown: 'leaving' });
    expect(await clear()).toBe('leaving');
    expect([orders, conduct.quarantineOf(id)?.because]).toEqual([[], 'too fast']);
  });

  it('succeeds for a host that its driver could not release', async () => {
    const { conduct, clear } = quarantined({ shutdown: 'leaving' }, true);
    expect([await clear(), conduct.quarantineOf(id)]).toEqual(['cleared', undefined]);
  });
});
