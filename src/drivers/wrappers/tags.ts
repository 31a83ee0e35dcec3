import type { Tags } from '../../domain/instance.js';
import type { Driver } from '../driver.js';
import { delegate } from './delegate.js';

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
