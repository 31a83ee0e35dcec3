export const driverErrorCodes = [
  'rate-limited',
  'quota',
  'capacity',
  'not-found',
  'auth',
  'unavailable',
  'invalid',
  'aborted',
] as const;

/**
 * `rate-limited`: wait until `retryAt`. `quota`: the account may not have more now. `capacity`: the provider has none
 * (see `scope`). `not-found`: no such instance. `auth`: credentials or permission. `unavailable`: try later.
 * `invalid`: a request or setting that will never work. `aborted`: the caller's signal.
 */
export type DriverErrorCode = (typeof driverErrorCodes)[number];

/**
 * How far a lack of capacity reaches: this type (in the zone that was asked for), its quota group, everything in that
 * zone, or everything (ER-4).
 */
export type CapacityScope = 'type' | 'group' | 'zone' | 'all';
