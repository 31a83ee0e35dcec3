import type { BootStage, Tags } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';

/** How many idle instances of a type are kept ready, and when. */
export interface WarmRule {
  instanceType: string;
  /** At least 1. */
  idle: number;
  /** Cron text of the minutes in which the rule holds, like `* 8-17 * * MON-FRI`; `''`: always. */
  schedule: string;
  /** IANA name; `''`: the one of this host. */
  timezone: string;
}

/** How the pool treats its instances (worker-pool C-1..C-31). Durations in ms; limits of 0 mean "none". */
export interface PoolSettings {
  tagKeyPrefix: string;
  resourceTags: Tags;
  imageId: string;
  instanceInitCommand: string;
  deployPublicKey: boolean;
  /** The tag of a new instance holds its secret itself, so that the reference dispatcher can verify it. */
  plainSecretTag: boolean;
  /** Port number or service name for addresses that name none. */
  sshPort: string;
  bootProbeCommand: string;
  probeIntervalMs: number;
  /** `auto`: as many as let every worker be probed once in each probe interval, 10 at least. */
  maxProbesPerSecond: number | 'auto';
  syncIntervalMs: number;
  timeoutIdleMs: number;
  timeoutBootingMs: number;
  /** The longest a boot may stay in each stage. */
  bootStageTimeoutsMs: Readonly<Record<BootStage, number>>;
  timeoutProbeMs: number;
  /** How long the result of a container that ended is asked for. */
  timeoutCollectMs: number;
  timeoutShutdownMs: number;
  timeoutTermMs: number;
  timeoutSignalMs: number;
  timeoutStaleRunLockMs: number;
  maxFailedStarts: number;
  /** Bound of each list, start, kill, copy and tag command (K-3). */
  commandTimeoutMs: number;
  /** Bound of one boot probe. */
  bootProbeTimeoutMs: number;
  /** Bound of each call to the cloud. */
  cloudCallTimeoutMs: number;
  maxCloudOpsPerSecond: number;
  maxConcurrentCreates: number;
  maxInstances: number;
  quotaHoldOffMs: number;
  capacityHoldOffMs: number;
  /** So many failed boots in a row stop all creations for a while (protected mode); 0: never. */
  bootFailureLimit: number;
  bootFailureHoldOffMs: number;
  /** Whether instances of this set that nobody recorded, and that never answer, are destroyed after a grace time. */
  removeOrphans: boolean;
  orphanGraceMs: number;
  /** Idle instances that are kept ready. */
  warm: readonly WarmRule[];
  /** Of one type at most one instance in this time is given back for idling; 0: no such pace. */
  coolDownMs: number;
  /** Older instances are drained; 0: any age will do. */
  maxInstanceAgeMs: number;
  /** After so many containers an instance is drained; 0: no limit. */
  maxContainersPerInstance: number;
  /** After this long at "until fewer instances", one trial create is allowed (K-10). */
  quotaRetryMs: number;
}

/** The program that runs containers on instances. */
export interface RunnerSettings {
  /** `built-in`: Longshore's own; a path: that file is copied; `''`: nothing is copied, `command` is used. */
  deploy: string;
  deployDirectory: string;
  /** Where that one cannot be made, or may not execute. */
  deployFallback?: string;
  /** Used when nothing is deployed. */
  command: string;
  runtimeEngine: string;
  arguments: readonly string[];
  /** Environment of the runner beyond what R-3 names. */
  apiHost: string;
  apiHostInsecure: boolean;
  /** Bytes of each of stdout and stderr kept of a container. */
  logLimitBytes: number;
}

/** How containers are matched with instances (CF-1..CF-15). */
export interface SchedulerSettings {
  maximumPriceFactor: number;
  /** Whether preemptible containers that do not say may run on on-demand instances while there is no spot capacity. */
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

/** The controller whose containers are run. */
export interface ControllerSettings {
  /** `http(s)://HOST[:PORT]`; `''`: there is none, the own store is the queue. */
  url: string;
  /** PEM file; absolute, or `''`: the authorities of the system. */
  caFile: string;
  /** Any certificate will do. */
  insecure: boolean;
  requestTimeoutMs: number;
  /** How many queued containers that are no supervisors are looked for at a time. */
  lookAhead: number;
  /** YAML or JSON file; absolute, or `''`: runners get none. */
  clusterConfigFile: string;
  /** `postgres://USER@HOST/DATABASE` of the cluster, for its dispatch lock; `''`: as `clusterConfigFile` says. */
  database: string;
  /** Leads without that lock. */
  withoutLock: boolean;
}

/** How much of what happened is kept. */
export interface JournalSettings {
  /** The oldest go when there are more. */
  maxEntries: number;
  /** Likewise when their texts take more. */
  maxBytes: number;
  /** Older ones go. */
  maxAgeMs: number;
}

export interface ApiSettings {
  /** `host:port`; port 0 lets the system choose. */
  listen: string;
  /** PEM files; both or none. */
  tlsCertFile: string;
  tlsKeyFile: string;
  /** Shells on instances that may be open at once. */
  maxShells: number;
  /** Of the inspector, on loopback, when the daemon is told to open it; 0: the system chooses. */
  inspectPort: number;
}

export interface Config {
  /** Five characters a-z0-9: first part of every container id. */
  clusterId: string;
  /** `''`: the API refuses everyone (H-1). */
  managementToken: string;
  /** One is to be made on the first start and kept in the state folder. */
  makesManagementToken: boolean;
  /** Dispatcher token; its fingerprint is the instance set id (V-3). */
  systemRootToken: string;
  /** Folder of the configuration file; absolute. */
  folder: string;
  /** Folder of everything that must outlive the daemon; absolute. */
  stateDir: string;
  /** `file:` URL or path of the embedded store, or `postgres://USER@HOST/DATABASE`. */
  store: string;
  /** Of the PostgreSQL user; `''`: none is needed. */
  storePassword: string;
  /** Of the user in `controller.database`; `''`: none is needed. */
  controllerDatabasePassword: string;
  /** The PostgreSQL server itself when `store` names a pooler; `''`: it does not. */
  storeListen: string;
  /** OpenSSH or PEM text of the key the daemon logs in with; `''`: one is made and kept in the state folder. */
  dispatchPrivateKey: string;
  driver: string;
  driverParameters: Readonly<Record<string, unknown>>;
  instanceTypes: ReadonlyMap<string, InstanceType>;
  pool: PoolSettings;
  runner: RunnerSettings;
  scheduler: SchedulerSettings;
  controller: ControllerSettings;
  journal: JournalSettings;
  /** What containers printed goes this long after they ended. */
  logs: { maxAgeMs: number };
  api: ApiSettings;
  /** What is odd but works; sentences for the operator, to be logged by who starts the daemon. */
  warnings: readonly string[];
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
}
