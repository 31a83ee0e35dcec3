import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, resolve } from 'node:path';
import { isMap, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import type * as z from 'zod';
import { noGpu, type InstanceType } from '../domain/instance-type.js';
import { bootStages } from '../domain/instance.js';
import type { Config } from './config.js';
import { ConfigError, type ConfigProblem } from './config-error.js';
import { loopbackInstanceType } from './implied-types.js';
import { nearest } from './nearest.js';
import { fileSchema, type ConfigFile, type InstanceTypeFile } from './schema.js';

const secretFields = new Set(['managementToken', 'systemRootToken', 'dispatchPrivateKey']);

/** Reads and checks the file. Throws {@link ConfigError}. */
export function loadConfig(path: string, env: NodeJS.ProcessEnv = process.env): Config {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(path, [{ path: '', message: `cannot be read: ${(error as Error).message}` }]);
  }
  return parseConfig(text, { path: resolve(path), env });
}

/** As {@link loadConfig}, for a text. */
export function parseConfig(text: string, { path, env }: { path: string; env: NodeJS.ProcessEnv }): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [syntax] = document.errors;
  if (syntax) {
    const { line, col } = lines.linePos(syntax.pos[0]);
    const message = `this is no YAML: ${syntax.message.split('\n')[0]}`;
    throw new ConfigError(path, [{ path: '', message, line, column: col }]);
  }
  const parsed = fileSchema.safeParse(document.toJS() ?? {});
  if (!parsed.success) {
    throw new ConfigError(
      path,
      parsed.error.issues.flatMap((issue) => problemsOf(issue, document, lines)),
    );
  }
  return resolveConfig(parsed.data, path, env);
}

function problemsOf(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): ConfigProblem[] {
  const place = (path: PropertyKey[]): Pick<ConfigProblem, 'line' | 'column'> => {
    const node = document.getIn(path, true) as { range?: [number, number, number] } | undefined;
    if (!node?.range) return {};
    const { line, col } = lines.linePos(node.range[0]);
    return { line, column: col };
  };
  if (issue.code === 'unrecognized_keys') {
    const parent = issue.path.length === 0 ? document.contents : document.getIn(issue.path, true);
    return issue.keys.map((key) => {
      const known = keysAt(issue.path);
      const hint = nearest(key, known);
      const remedy = hint === undefined ? `known are ${known.join(', ')}` : `did you mean ${hint}?`;
      const item = isMap(parent)
        ? parent.items.find((pair) => isScalar(pair.key) && pair.key.value === key)
        : undefined;
      const range = (item?.key as { range?: [number] } | undefined)?.range;
      const at = range ? lines.linePos(range[0]) : undefined;
      return {
        path: [...issue.path, key].join('.'),
        message: `is not a setting: ${remedy}`,
        line: at?.line,
        column: at?.col,
      };
    });
  }
  const path = issue.path.map(String).join('.');
  const value = document.getIn(issue.path);
  const isShown =
    value !== undefined && typeof value !== 'object' && !secretFields.has(String(issue.path.at(-1)));
  const shown =
    isShown && !issue.message.includes(JSON.stringify(value).replaceAll('"', ''))
      ? ` (it is ${JSON.stringify(value)})`
      : '';
  return [{ path, message: `${issue.message}${shown}`, ...place(issue.path) }];
}

/** The settings there are at this place of the schema. */
function keysAt(path: readonly PropertyKey[]): string[] {
  type Shaped = { shape?: Record<string, Shaped>; def?: { innerType?: Shaped; valueType?: Shaped } };
  const unwrap = (schema: Shaped | undefined): Shaped | undefined =>
    schema?.def?.innerType ? unwrap(schema.def.innerType) : schema;
  let schema = unwrap(fileSchema as unknown as Shaped);
  for (const key of path) schema = unwrap(schema?.shape?.[String(key)] ?? schema?.def?.valueType);
  return Object.keys(schema?.shape ?? {});
}

function resolveConfig(file: ConfigFile, path: string, env: NodeJS.ProcessEnv): Config {
  const base = dirname(path);
  const problems: ConfigProblem[] = [];
  const secret = (field: 'managementToken' | 'systemRootToken' | 'dispatchPrivateKey'): string => {
    try {
      return readSecret(file[field], env);
    } catch (error) {
      problems.push({ path: field, message: (error as Error).message });
      return '';
    }
  };
  const stateDir = absolute(file.stateDir || defaultStateDir(env), base);
  const { pool, runner, scheduler, api } = file;
  if ((api.tlsCertFile === '') !== (api.tlsKeyFile === '')) {
    problems.push({ path: 'api.tlsCertFile', message: 'give both tlsCertFile and tlsKeyFile, or none' });
  }
  const stages = Object.fromEntries(
    bootStages.map((stage) => [stage, pool.bootStageTimeouts[stage] || pool.timeoutBooting]),
  ) as Config['pool']['bootStageTimeoutsMs'];
  const config: Config = {
    clusterId: file.clusterId,
    managementToken: secret('managementToken'),
    systemRootToken: secret('systemRootToken'),
    dispatchPrivateKey: secret('dispatchPrivateKey'),
    stateDir,
    store:
      file.store === ''
        ? resolve(stateDir, 'longshore.db')
        : absolute(file.store.replace(/^file:(\/\/)?/, ''), base),
    driver: file.driver,
    driverParameters: file.driverParameters,
    instanceTypes: typesOf(file, problems),
    pool: {
      tagKeyPrefix: pool.tagKeyPrefix,
      resourceTags: pool.resourceTags,
      imageId: pool.imageId,
      instanceInitCommand: pool.instanceInitCommand,
      deployPublicKey: pool.deployPublicKey,
      sshPort: pool.sshPort,
      bootProbeCommand: pool.bootProbeCommand,
      probeIntervalMs: pool.probeInterval,
      maxProbesPerSecond: pool.maxProbesPerSecond,
      syncIntervalMs: pool.syncInterval,
      timeoutIdleMs: pool.timeoutIdle,
      timeoutBootingMs: pool.timeoutBooting,
      bootStageTimeoutsMs: stages,
      timeoutProbeMs: pool.timeoutProbe,
      timeoutShutdownMs: pool.timeoutShutdown,
      timeoutTermMs: pool.timeoutTerm,
      timeoutSignalMs: pool.timeoutSignal,
      timeoutStaleRunLockMs: pool.timeoutStaleRunLock,
      commandTimeoutMs: pool.commandTimeout,
      bootProbeTimeoutMs: pool.bootProbeTimeout || pool.timeoutBooting,
      cloudCallTimeoutMs: pool.cloudCallTimeout,
      maxCloudOpsPerSecond: pool.maxCloudOpsPerSecond,
      maxConcurrentCreates: pool.maxConcurrentCreates,
      maxInstances: pool.maxInstances,
      quotaHoldOffMs: pool.quotaHoldOff,
      capacityHoldOffMs: pool.capacityHoldOff,
      quotaRetryMs: pool.quotaRetry,
    },
    runner: {
      ...runner,
      deploy: ['', 'built-in'].includes(runner.deploy) ? runner.deploy : absolute(runner.deploy, base),
      logLimitBytes: runner.logLimit,
    },
    scheduler: {
      maximumPriceFactor: scheduler.maximumPriceFactor,
      reserveExtraRamBytes: scheduler.reserveExtraRam,
      localKeepBlobBuffersPerVcpu: scheduler.localKeepBlobBuffersPerVcpu,
      staleLockTimeoutMs: scheduler.staleLockTimeout,
      maxDispatchAttempts: scheduler.maxDispatchAttempts,
      pollIntervalMs: scheduler.pollInterval,
      initialQuotaEstimate: scheduler.initialQuotaEstimate,
      supervisorFraction: scheduler.supervisorFraction,
      maxRunningContainersPerInstance: scheduler.maxRunningContainersPerInstance,
    },
    api,
    logLevel: file.logLevel,
  };
  if (problems.length > 0) throw new ConfigError(path, problems);
  return config;
}

function typesOf(file: ConfigFile, problems: ConfigProblem[]): Map<string, InstanceType> {
  const types = new Map<string, InstanceType>();
  for (const [name, type] of Object.entries(file.instanceTypes)) types.set(name, typeOf(name, type));
  if (types.size === 0 && file.driver === 'loopback') types.set('localhost', loopbackInstanceType());
  if (types.size === 0) problems.push({ path: 'instanceTypes', message: 'give at least one instance type' });
  const factor = file.scheduler.preemptiblePriceFactor;
  for (const type of factor > 0 ? [...types.values()] : []) {
    const name = `${type.name}.preemptible`;
    if (type.preemptible || types.has(name)) continue;
    types.set(name, { ...type, name, preemptible: true, price: type.price * factor });
  }
  return types;
}

function typeOf(name: string, type: InstanceTypeFile): InstanceType {
  const { vram, ...gpu } = type.gpu;
  return {
    name,
    providerType: type.providerType ?? name,
    vcpus: type.vcpus,
    ramBytes: type.ram,
    scratchBytes: type.includedScratch + type.addedScratch,
    includedScratchBytes: type.includedScratch,
    addedScratchBytes: type.addedScratch,
    price: type.price,
    preemptible: type.preemptible,
    gpu: gpu.deviceCount === 0 && gpu.stack === '' ? noGpu : { ...gpu, vramBytes: vram },
  };
}

/** A literal, `env:NAME` or `file:///path`. The error names the source, never the secret. */
function readSecret(text: string, env: NodeJS.ProcessEnv): string {
  if (text.startsWith('env:')) {
    const value = env[text.slice(4)];
    if (value === undefined || value === '')
      throw new Error(`the environment variable ${text.slice(4)} is not set`);
    return value.trim();
  }
  if (!text.startsWith('file://')) return text;
  const path = text.slice('file://'.length);
  if (!existsSync(path)) throw new Error(`there is no file ${path}`);
  return readFileSync(path, 'utf8').trim();
}

function defaultStateDir(env: NodeJS.ProcessEnv): string {
  if (process.getuid?.() === 0) return '/var/lib/longshore';
  return resolve(env['XDG_STATE_HOME'] ?? resolve(homedir(), '.local/state'), 'longshore');
}

function absolute(path: string, base: string): string {
  return isAbsolute(path) ? path : resolve(base, path);
}
