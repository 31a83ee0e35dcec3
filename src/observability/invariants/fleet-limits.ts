/** What the configuration promises. Durations in ms; numbers of 0 mean "no limit". */
export interface FleetLimits {
  maxInstances: number;
  maxConcurrentCreates: number;
  maxCloudOpsPerSecond: number;
  maxProbesPerSecond: number;
  timeoutBootingMs: number;
  timeoutIdleMs: number;
  timeoutProbeMs: number;
  timeoutShutdownMs: number;
  cloudCallTimeoutMs: number;
  quotaHoldOffMs: number;
  quotaRetryMs: number;
  /** The longest one visit to an instance takes, and the pause before it. */
  longestRoundMs: number;
}
