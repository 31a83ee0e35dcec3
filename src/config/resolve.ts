import { homedir } from 'node:os';
import { dirname, isAbsolute, resolve } from 'node:path';
import { bootStages } from '../domain/instance.js';
import type { Config, ControllerSettings, PoolSettings } from './config.js';
import { instanceTypesOf } from './instance-types.js';
import type { SecretField } from './read-secret.js';
import type { ConfigFile } from './schema.js';
import { warningsOf } from './warnings.js';
import type { SchedulerSettings } from '../policy/scheduler-settings.js';
import type { RunnerSettings } from '../runner/runner-settings.js';

export interface ResolveContext {
  /** The configuration file; relative paths are relative to its folder. */
  path: string;
  env: NodeJS.ProcessEnv;
  secrets: Readonly<Record<SecretField, string>>;
  /** With resolved secrets; none for commands that contact no provider. */
  driverParameters: Readonly<Record<string, unknown>> | undefined;
}

/** Returns the configuration of a valid file. */
export function resolveConfig(
  file: ConfigFile,
  { path, env, secrets, driverParameters }: ResolveContext,
): Config {
  const base = dirname(path);
  const stateDir = absolute(file.stateDir || defaultStateDir(env), base);
  const makesManagementToken = file.managementToken === 'auto';
  const { types, warnings } = instanceTypesOf(file);
  return {
    ...secrets,
    clusterId: file.clusterId,
    managementToken: makesManagementToken ? '' : secrets.managementToken,
    makesManagementToken,
    folder: resolve(base),
    stateDir,
    store: storeOf(file, stateDir, base),
    storeListen: file.storeListen,
    driver: file.driver,
    driverParameters: driverParameters ?? file.driverParameters,
    instanceTypes: types,
    pool: poolOf(file),
    runner: runnerOf(file, base),
    scheduler: schedulerOf(file),
    controller: controllerOf(file, base),
    journal: journalOf(file),
    logs: { maxAgeMs: file.logs.maxAge },
    api: {
      listen: file.api.listen,
      tlsCertFile: file.api.tlsCertFile && absolute(file.api.tlsCertFile, base),
      tlsKeyFile: file.api.tlsKeyFile && absolute(file.api.tlsKeyFile, base),
      maxShells: file.api.maxShells,
      inspectPort: file.api.inspectPort,
    },
    logLevel: file.logLevel,
    warnings: [...warnings, ...warningsOf(file)],
  };
}

function poolOf({ pool }: ConfigFile): PoolSettings {
  const stages = bootStages.map((stage) => [stage, pool.bootStageTimeouts[stage] || pool.timeoutBooting]);
  return {
    tagKeyPrefix: pool.tagKeyPrefix,
    resourceTags: pool.resourceTags,
    imageId: pool.imageId,
    instanceInitCommand: pool.instanceInitCommand,
    deployPublicKey: pool.deployPublicKey,
    plainSecretTag: pool.plainSecretTag,
    sshPort: pool.sshPort,
    bootProbeCommand: pool.bootProbeCommand,
    probeIntervalMs: pool.probeInterval,
    maxProbesPerSecond: pool.maxProbesPerSecond,
    syncIntervalMs: pool.syncInterval,
    timeoutIdleMs: pool.timeoutIdle,
    timeoutBootingMs: pool.timeoutBooting,
    bootStageTimeoutsMs: Object.fromEntries(stages) as PoolSettings['bootStageTimeoutsMs'],
    timeoutProbeMs: pool.timeoutProbe,
    timeoutCollectMs: pool.timeoutCollect,
    timeoutShutdownMs: pool.timeoutShutdown,
    timeoutTermMs: pool.timeoutTerm,
    timeoutSignalMs: pool.timeoutSignal,
    timeoutStaleRunLockMs: pool.timeoutStaleRunLock,
    maxFailedStarts: pool.maxFailedStarts,
    commandTimeoutMs: pool.commandTimeout,
    bootProbeTimeoutMs: pool.bootProbeTimeout || pool.timeoutBooting,
    cloudCallTimeoutMs: pool.cloudCallTimeout,
    maxCloudOpsPerSecond: pool.maxCloudOpsPerSecond,
    maxConcurrentCreates: pool.maxConcurrentCreates,
    maxInstances: pool.maxInstances,
    quotaHoldOffMs: pool.quotaHoldOff,
    capacityHoldOffMs: pool.capacityHoldOff,
    bootFailureLimit: pool.bootFailureLimit,
    bootFailureHoldOffMs: pool.bootFailureHoldOff,
    removeOrphans: pool.removeOrphans,
    orphanGraceMs: pool.orphanGrace,
    quarantineGraceMs: pool.quarantineGrace,
    warm: pool.warm,
    coolDownMs: pool.coolDown,
    maxInstanceAgeMs: pool.maxInstanceAge,
    maxContainersPerInstance: pool.maxContainersPerInstance,
    quotaRetryMs: pool.quotaRetry,
  };
}

/** By default a runner uses the controller of the daemon. */
function journalOf({ journal: { maxAge: maxAgeMs, ...limits } }: ConfigFile): Config['journal'] {
  return { ...limits, maxAgeMs };
}

function runnerOf({ runner: { logLimit, ...runner }, controller }: ConfigFile, base: string): RunnerSettings {
  const isPath = !['', 'built-in'].includes(runner.deploy);
  return {
    ...runner,
    ...deployFolders(runner.deployDirectory, controller.url !== ''),
    apiHost: runner.apiHost || controller.url.replace(/^https?:\/\//, ''),
    apiHostInsecure: runner.apiHostInsecure || controller.insecure,
    deploy: isPath ? absolute(runner.deploy, base) : runner.deploy,
    logLimitBytes: logLimit,
  };
}

/** A folder that survives a reboot; with a controller the folder that its runners use (P-9). */
function deployFolders(
  chosen: string,
  hasController: boolean,
): Pick<RunnerSettings, 'deployDirectory' | 'deployFallback'> {
  if (chosen !== '') return { deployDirectory: chosen };
  const temporary = '/tmp/arvados-crunch-run';
  if (hasController) return { deployDirectory: temporary };
  return { deployDirectory: '/var/lib/longshore/bin', deployFallback: temporary };
}

function schedulerOf({ scheduler }: ConfigFile): SchedulerSettings {
  return {
    maximumPriceFactor: scheduler.maximumPriceFactor,
    onDemandFallback: scheduler.onDemandFallback,
    reserveExtraRamBytes: scheduler.reserveExtraRam,
    localKeepBlobBuffersPerVcpu: scheduler.localKeepBlobBuffersPerVcpu,
    staleLockTimeoutMs: scheduler.staleLockTimeout,
    maxDispatchAttempts: scheduler.maxDispatchAttempts,
    pollIntervalMs: scheduler.pollInterval,
    initialQuotaEstimate: scheduler.initialQuotaEstimate,
    supervisorFraction: scheduler.supervisorFraction,
    maxRunningContainersPerInstance: scheduler.maxRunningContainersPerInstance,
  };
}

function controllerOf({ controller }: ConfigFile, base: string): ControllerSettings {
  const { url, caFile, insecure, requestTimeout, lookAhead, clusterConfigFile, ...lock } = controller;
  return {
    url,
    caFile: caFile && absolute(caFile, base),
    insecure,
    requestTimeoutMs: requestTimeout,
    lookAhead,
    clusterConfigFile: clusterConfigFile && absolute(clusterConfigFile, base),
    ...lock,
  };
}

function storeOf({ store }: ConfigFile, stateDir: string, base: string): string {
  if (store === '') return resolve(stateDir, 'longshore.db');
  if (/^postgres(ql)?:\/\//.test(store)) return store;
  return absolute(store.replace(/^file:(\/\/)?/, ''), base);
}

function defaultStateDir(env: NodeJS.ProcessEnv): string {
  if (process.getuid?.() === 0) return '/var/lib/longshore';
  return resolve(env['XDG_STATE_HOME'] || resolve(homedir(), '.local/state'), 'longshore');
}

function absolute(path: string, base: string): string {
  return isAbsolute(path) ? path : resolve(base, path);
}
