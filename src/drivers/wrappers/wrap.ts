import type { Clock } from '../../domain/clock.js';
import type { Tags } from '../../domain/instance.js';
import type { Driver } from '../driver.js';
import { withDeadline } from './deadline.js';
import { withObserver, type DriverCall } from './observe.js';
import { withRateLimit } from './rate-limit.js';
import { withDefaultTags, withTagFilter } from './tags.js';

export interface WrapOptions {
  clock: Clock;
  resourceTags: Tags;
  opsPerSecond: number;
  timeoutMs: number;
  observe(call: DriverCall): void;
}

/** The driver as the pool uses it; outermost the tag filter, closest to the driver the observer (7.6, DD-1). */
export function wrapDriver(driver: Driver, options: WrapOptions): Driver {
  const { clock, resourceTags, opsPerSecond, timeoutMs, observe } = options;
  const observed = withObserver(driver, clock, observe);
  const limited = withRateLimit(withDeadline(observed, timeoutMs, clock), opsPerSecond, clock);
  const wrapped = withTagFilter(withDefaultTags(limited, resourceTags));
  return driver.zones ? { ...wrapped, zones: (type) => driver.zones!(type) } : wrapped;
}
