import type { BootStage, Tags } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { WarmRule, SchedulerSettings } from '../policy/scheduler-settings.js';
import type { RunnerSettings } from '../runner/runner-settings.js';

/** Settings of the pool (worker-pool C-1..C-31). Durations in ms; limits of 0 mean "none". */
export interface PoolSettings {
  tagKeyPrefix: string;
  resourceTags: Tags;
  imageId: string;
  instanceInitCommand: string;
  deployPublicKey: boolean;
  /** The tag of a new instance contains its plain secret, so that the reference dispatcher can verify it. */
  plainSecretTag: boolean;
  /** Port number or service name for addresses without a port. */
  sshPort: string;
  bootProbeCommand: string;
  probeIntervalMs: number;
  /** `auto`: enough to probe every worker once per probe interval, at least 10. */
  maxProbesPerSecond: number | 'auto';
  syncIntervalMs: number;
  timeoutIdleMs: number;
  timeoutBootingMs: number;
  /** Maximum duration of each boot stage. */
  bootStageTimeoutsMs: Readonly<Record<BootStage, number>>;
  timeoutProbeMs: number;
  /** How long the daemon tries to collect the result of an ended container. */
  timeoutCollectMs: number;
  timeoutShutdownMs: number;
  timeoutTermMs: number;
  timeoutSignalMs: number;
  timeoutStaleRunLockMs: number;
  maxFailedStarts: number;
  /** Deadline of each list, start, kill, copy and tag command (K-3). */
  commandTimeoutMs: number;
  /** Deadline of one boot probe. */
  bootProbeTimeoutMs: number;
  /** Deadline of each provider call. */
  cloudCallTimeoutMs: number;
  maxCloudOpsPerSecond: number;
  maxConcurrentCreates: number;
  maxInstances: number;
  quotaHoldOffMs: number;
  capacityHoldOffMs: number;
  /** Consecutive failed boots that open the boot breaker (protected mode); 0: never. */
  bootFailureLimit: number;
  bootFailureHoldOffMs: number;
  /** Whether orphans (no launch record, never responded) are destroyed after a grace time. */
  removeOrphans: boolean;
  orphanGraceMs: number;
  quarantineGraceMs: number;
  /** Warm instances. */
  warm: readonly WarmRule[];
  /** Minimum interval between two shutdowns of idle instances of one type; 0: none. */
  coolDownMs: number;
  /** Older instances drain; 0: no limit. */
  maxInstanceAgeMs: number;
  /** An instance drains after this many containers; 0: no limit. */
  maxContainersPerInstance: number;
  /** At "until fewer instances", one trial create call is allowed after this time (K-10). */
  quotaRetryMs: number;
}

/** The controller whose queue is served. */
export interface ControllerSettings {
  /** `http(s)://HOST[:PORT]`; `''`: none, the store is the queue. */
  url: string;
  /** PEM file; absolute, or `''`: the system's certificate authorities. */
  caFile: string;
  /** Accept any certificate. */
  insecure: boolean;
  requestTimeoutMs: number;
  /** How many queued containers are fetched at a time, without workflow runners. */
  lookAhead: number;
  /** YAML or JSON file; absolute, or `''`: runners get none. */
  clusterConfigFile: string;
  /** `postgres://USER@HOST/DATABASE` of the cluster, for its dispatch lock; `''`: from `clusterConfigFile`. */
  database: string;
  /** Lead without the dispatch lock. */
  withoutLock: boolean;
}

/** Retention of the journal. */
export interface JournalSettings {
  /** The oldest entries beyond this are deleted. */
  maxEntries: number;
  /** The same, by the size of their texts. */
  maxBytes: number;
  /** Older entries are deleted. */
  maxAgeMs: number;
}

export interface ApiSettings {
  /** `host:port`; port 0 is assigned by the system. */
  listen: string;
  /** PEM files; both or none. */
  tlsCertFile: string;
  tlsKeyFile: string;
  /** Maximum number of concurrent shells on instances. */
  maxShells: number;
  /** Port of the inspector on loopback; 0: assigned by the system. */
  inspectPort: number;
}

export interface Config {
  /** Five characters a-z0-9: first part of every container id. */
  clusterId: string;
  /** `''`: the API refuses every request (H-1). */
  managementToken: string;
  /** Generate the token on the first start and keep it in the state folder. */
  makesManagementToken: boolean;
  /** Dispatcher token; its fingerprint is the instance set id (V-3). */
  systemRootToken: string;
  /** Folder of the configuration file; absolute. */
  folder: string;
  /** Folder of all persistent files; absolute. */
  stateDir: string;
  /** `file:` URL or path of the embedded store, or `postgres://USER@HOST/DATABASE`. */
  store: string;
  /** Password of the PostgreSQL user; `''`: none. */
  storePassword: string;
  /** Password of the user in `controller.database`; `''`: none. */
  controllerDatabasePassword: string;
  /** Address of the PostgreSQL server itself when `store` names a pooler; `''`: the same. */
  storeListen: string;
  /** OpenSSH or PEM text of the daemon's login key; `''`: generated and kept in the state folder. */
  dispatchPrivateKey: string;
  driver: string;
  driverParameters: Readonly<Record<string, unknown>>;
  instanceTypes: ReadonlyMap<string, InstanceType>;
  pool: PoolSettings;
  runner: RunnerSettings;
  scheduler: SchedulerSettings;
  controller: ControllerSettings;
  journal: JournalSettings;
  /** Container output is deleted this long after the end of the container. */
  logs: { maxAgeMs: number };
  api: ApiSettings;
  /** Warnings for the operator, logged at each start. */
  warnings: readonly string[];
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
}
