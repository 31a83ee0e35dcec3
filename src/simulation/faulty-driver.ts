import { orAborted } from '../drivers/abortable.js';
import { DriverError, type CallOptions, type Driver } from '../drivers/driver.js';
import { SimulatedDriver } from '../drivers/simulated/simulated-driver.js';
import type { Lifeline } from './simulated-process.js';
import type { World } from './world.js';

/** Told of calls as the daemon process makes them, and of the answers it hears. */
export interface CallObserver {
  asked(operation: 'create' | 'list' | 'destroy' | 'setTags', subject: string): void;
  /** The ids the answer shows. */
  listed(ids: readonly string[]): void;
}

/** One daemon process's way to the provider, with all that goes wrong on it. */
export function troubledDriver(world: World, lifeline: Lifeline, observer: CallObserver): Driver {
  const { cloud, trouble, clock } = world;
  const inner = new SimulatedDriver(cloud);
  const delay = (ms: number): Promise<void> =>
    new Promise((resolve) => void clock.setTimeout(() => resolve(), ms));
  const call = async <T>(what: string, { signal }: CallOptions, ask: () => Promise<T>): Promise<T> => {
    const make = async (): Promise<T> => {
      if (trouble.strikes('api-failures')) throw new DriverError('unavailable', `${what} failed: 503`);
      const answer = await ask();
      if (trouble.strikes('api-lost-replies')) await never;
      const lateMs = trouble.upTo('api-late-replies');
      if (lateMs > 0) await delay(lateMs);
      return answer;
    };
    return lifeline.call(() => orAborted(what, signal, make));
  };
  const spread = world.random.fork('create answers');
  const inAnyOrder = async <T>(create: () => Promise<T>): Promise<T> => {
    try {
      return await create();
    } finally {
      const { createSpreadMs } = world.settings;
      if (createSpreadMs > 0) await delay(Math.round(createSpreadMs * spread.next()));
    }
  };
  return {
    name: inner.name,
    create: (spec, options) => {
      observer.asked('create', spec.instanceType.name);
      return call('create', options, () => inAnyOrder(() => inner.create(spec, options)));
    },
    list: async (tags, options) => {
      observer.asked('list', '');
      const instances = await call('list', options, async () => {
        const all = await inner.list(tags, options);
        return all.filter(({ id }) => !world.trouble.leavesOut(id));
      });
      observer.listed(instances.map(({ id }) => id));
      return instances;
    },
    destroy: (id, options) => {
      observer.asked('destroy', id);
      return call('destroy', options, () => {
        world.ledger.destroyOrdered(id);
        return inner.destroy(id, options);
      });
    },
    setTags: (id, tags, options) => {
      observer.asked('setTags', id);
      return call('setTags', options, () => inner.setTags(id, tags, options));
    },
    verifyHostKey: (instance, key, options) => inner.verifyHostKey(instance, key, options),
    priceHistory: (instance, type) => inner.priceHistory(instance, type),
    quotaGroup: (type) => inner.quotaGroup(type),
    stop: () => inner.stop(),
  };
}

const never = new Promise<never>(() => {});
