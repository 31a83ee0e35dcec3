import type { Driver } from '../driver.js';

/** The driver's calls as an object of its own, free to be replaced one by one. */
export function delegate(driver: Driver): Driver {
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
    ...(driver.zones ? { zones: (type) => driver.zones!(type) } : {}),
    ...(driver.clearQuarantine
      ? { clearQuarantine: (id, options) => driver.clearQuarantine!(id, options) }
      : {}),
  };
}
