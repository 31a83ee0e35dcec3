import type { CapacityScope } from '../domain/driver-error-code.js';

/** How the simulated provider and its machines behave while nothing is wrong. Durations in ms. */
export interface WorldSettings {
  /** From the request for an instance to the provider's answer. */
  createDelayMs: number;
  /** Answers to create calls, good or bad, come up to so much later: in any order. */
  createSpreadMs: number;
  /** From an instance's existence to its address. */
  addressDelayMs: number;
  /** From the address to a system that is up: the median, and how much instances differ (0: not at all). */
  bootMs: number;
  bootSpread: number;
  /** Share of instances that never come up. */
  deadBootShare: number;
  /** From an accepted destroy to the instance's disappearance from the list. */
  destroyDelayMs: number;
  /** How far lists lag behind the truth. */
  listLagMs: number;
  /** From a command to its start on a machine. */
  commandLatencyMs: number;
  /** Share of start commands that fail though nothing is wrong with the machine. */
  crashShare: number;
  /** Of each preemptible instance, on average. */
  interruptionsPerHour: number;
  interruptionNoticeMs: number;
  /** The provider's own limit; 0: none. */
  quota: number;
  /** Its limits of quota groups; those not named have none. */
  groupQuotas: Readonly<Record<string, number>>;
  /** How many of a provider type there are; types not named have no limit. */
  capacity: Readonly<Record<string, number>>;
  capacityScope: CapacityScope;
  /** The provider's throttle: calls that may be made at once, and how many come back each second; 0: no throttle. */
  apiBurst: number;
  apiPerSecond: number;
}

/** Such as EC2 on a good day. */
export const usualWorld: WorldSettings = {
  createDelayMs: 1_500,
  createSpreadMs: 0,
  addressDelayMs: 5_000,
  bootMs: 35_000,
  bootSpread: 0.25,
  deadBootShare: 0,
  destroyDelayMs: 20_000,
  listLagMs: 1_000,
  commandLatencyMs: 20,
  crashShare: 0,
  interruptionsPerHour: 0.05,
  interruptionNoticeMs: 120_000,
  quota: 0,
  groupQuotas: {},
  capacity: {},
  capacityScope: 'type',
  apiBurst: 1_000,
  apiPerSecond: 2,
};
