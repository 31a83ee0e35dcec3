import type { Clock } from '../../domain/clock.js';
import type { Tags } from '../../domain/instance.js';
import type { Driver } from '../driver.js';
import type { CallGate } from '../call-gate.js';
import { withBreakers } from './breaker.js';
import { withDeadline } from './deadline.js';
import { withObserver, type DriverCall } from './observe.js';
import { withRateLimit } from './rate-limit.js';
import { withRedaction } from './redact.js';
import { withDefaultTags, withTagFilter } from './tags.js';

export interface WrapOptions {
  clock: Clock;
  resourceTags: Tags;
  opsPerSecond: number;
  timeoutMs: number;
  /** Of the driver's configuration: no error shows them. */
  secrets: readonly string[];
  breakers: CallGate;
  observe(call: DriverCall): void;
}

/**
 * The driver as the pool uses it (7.6, DD-1); from the driver outwards: redaction, observer, deadline, rate limit,
 * breakers, default tags, tag filter. So neither a wait for a turn nor a refused call counts as an operation.
 */
export function wrapDriver(driver: Driver, options: WrapOptions): Driver {
  const { clock, resourceTags, opsPerSecond, timeoutMs, secrets, breakers, observe } = options;
  const observed = withObserver(withRedaction(driver, secrets), clock, observe);
  const limited = withRateLimit(withDeadline(observed, timeoutMs, clock), opsPerSecond, clock);
  return withTagFilter(withDefaultTags(withBreakers(limited, breakers), resourceTags));
}
