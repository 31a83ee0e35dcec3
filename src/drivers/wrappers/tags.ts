import type { Tags } from '../../domain/instance.js';
import type { Driver } from '../driver.js';

/** Puts the operator's tags under those of every create call; the caller's win (L-41, DD-4). */
export function withDefaultTags(driver: Driver, tags: Tags): Driver {
  return {
    ...delegate(driver),
    create: (spec, options) => driver.create({ ...spec, tags: { ...tags, ...spec.tags } }, options),
  };
}

/** Drops instances that lack a wanted tag, for drivers that do not filter (L-40, DD-5). */
export function withTagFilter(driver: Driver): Driver {
  return {
    ...delegate(driver),
    list: async (tags, options) => {
      const instances = await driver.list(tags, options);
      return instances.filter((instance) =>
        Object.entries(tags).every(([key, value]) => instance.tags[key] === value),
      );
    },
  };
}

/** The driver's calls, free to be replaced one by one. */
function delegate(driver: Driver): Driver {
  return {
    name: driver.name,
    create: (spec, options) => driver.create(spec, options),
    list: (tags, options) => driver.list(tags, options),
    destroy: (id, options) => driver.destroy(id, options),
    setTags: (id, tags, options) => driver.setTags(id, tags, options),
    verifyHostKey: (instance, key, options) => driver.verifyHostKey(instance, key, options),
    priceHistory: (instance, type) => driver.priceHistory(instance, type),
    quotaGroup: (type) => driver.quotaGroup(type),
    stop: () => driver.stop(),
  };
}
