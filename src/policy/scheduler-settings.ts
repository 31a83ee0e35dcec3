/** How many idle instances of a type are kept ready, and when. */
export interface WarmRule {
  instanceType: string;
  /** At least 1. */
  idle: number;
  /** Cron expression of the minutes in which the rule applies, such as `* 8-17 * * MON-FRI`; `''`: always. */
  schedule: string;
  /** IANA name; `''`: that of this host. */
  timezone: string;
}

/** Settings of the scheduler (CF-1..CF-15). */
export interface SchedulerSettings {
  maximumPriceFactor: number;
  /** Default of containers that do not set it: on-demand instances are allowed while there is no spot capacity. */
  onDemandFallback: boolean;
  reserveExtraRamBytes: number;
  localKeepBlobBuffersPerVcpu: number;
  staleLockTimeoutMs: number;
  maxDispatchAttempts: number;
  pollIntervalMs: number;
  initialQuotaEstimate: number;
  supervisorFraction: number;
  maxRunningContainersPerInstance: number;
}
