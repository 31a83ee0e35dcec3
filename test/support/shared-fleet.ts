import { systemClock, type Clock } from '../../src/domain/clock.js';
import type { Driver } from '../../src/drivers/driver.js';
import { faultlessVm } from '../../src/drivers/simulated/vm-behavior.js';
import { MemoryHost } from '../../src/drivers/simulated/memory-host.js';
import { SimulatedCloud } from '../../src/drivers/simulated/simulated-cloud.js';
import { SimulatedDriver } from '../../src/drivers/simulated/simulated-driver.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { createSimulatedExecutorFactory } from '../../src/simulation/simulated-executor.js';
import { managementToken, startInProcess, type InProcess } from './in-process.js';

/** One cloud in memory that several daemons in this process may use, and what they did to it. */
export interface SharedFleet {
  cloud: SimulatedCloud;
  /** How often each container was started. */
  starts: Map<string, number>;
  /** Orders to the cloud, each with the daemon that gave it. */
  orders: { by: string; order: 'create' | 'destroy'; at: number }[];
  /** How long containers run. */
  runMs: number;
  /** A daemon on this store. */
  daemon(
    name: string,
    store: string,
    options?: { clock?: Clock; yaml?: string; token?: string },
  ): Promise<InProcess>;
  close(): Promise<void>;
}

const dispatchKey = generateKeyPair().privateKey;

export function sharedFleet(): SharedFleet {
  const starts = new Map<string, number>();
  const orders: SharedFleet['orders'] = [];
  const random = (): number => 0.5;
  const host = new MemoryHost({
    clock: systemClock,
    random,
    hasKnownHostKeys: true,
    knobsOf: () => ({ ...faultlessVm, bootMs: 20 }),
    execute: (uuid) => {
      starts.set(uuid, (starts.get(uuid) ?? 0) + 1);
      return { durationMs: fleet.runMs, exitCode: 0, stdout: uuid, stderr: '' };
    },
  });
  const cloud = new SimulatedCloud({
    host,
    clock: systemClock,
    random,
    knobs: {},
    onFault: (id, error) => {
      throw new Error(id, { cause: error });
    },
  });
  const fleet: SharedFleet = {
    cloud,
    starts,
    orders,
    runMs: 50,
    daemon: (name, store, { clock = systemClock, yaml = '', token = 'the-same-for-all' } = {}) =>
      startInProcess(configOf(store, yaml, token), {
        clock,
        driver: noting(new SimulatedDriver(cloud), (order) =>
          orders.push({ by: name, order, at: Date.now() }),
        ),
        executorFactory: createSimulatedExecutorFactory({ host, clock, latencyMs: 1 }),
      }),
    close: async () => void (await cloud.close()),
  };
  return fleet;
}

function noting(driver: Driver, note: (order: 'create' | 'destroy') => void): Driver {
  return {
    name: driver.name,
    create: (spec, options) => {
      note('create');
      return driver.create(spec, options);
    },
    list: (tags, options) => driver.list(tags, options),
    destroy: (id, options) => {
      note('destroy');
      return driver.destroy(id, options);
    },
    setTags: (id, tags, options) => driver.setTags(id, tags, options),
    verifyHostKey: (instance, key, options) => driver.verifyHostKey(instance, key, options),
    priceHistory: (instance, type) => driver.priceHistory(instance, type),
    quotaGroup: (type) => driver.quotaGroup(type),
    stop: () => Promise.resolve(),
  };
}

function configOf(store: string, yaml: string, token: string): string {
  return `managementToken: ${managementToken}
systemRootToken: ${token}
dispatchPrivateKey: |
${dispatchKey.trim().replaceAll(/^/gm, '  ')}
store: '${store}'
driver: simulated
instanceTypes: { small: { vcpus: 2, ram: 2GiB, includedScratch: 1GiB, price: 0.1 } }
pool:
  bootProbeCommand: 'true'
  maxInstances: 6
  maxConcurrentCreates: 0
  maxCloudOpsPerSecond: 0
  syncInterval: 300ms
  probeInterval: 200ms
  timeoutIdle: 1s
${yaml}`;
}
