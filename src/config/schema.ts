import { Cron } from 'croner';
import * as z from 'zod';
import { parseDuration } from '../domain/duration.js';
import { parseSize } from '../domain/size.js';

const read =
  <T>(parse: (text: string) => T) =>
  (value: string | number, context: z.RefinementCtx): T => {
    try {
      return parse(String(value));
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  };

const durationText = z
  .union([z.string(), z.literal(0)], { error: () => 'give a duration like 10s, 1h30m or 500ms' })
  .meta({ examples: ['10s', '1h30m', '500ms'] });
const size = z
  .union([z.string(), z.int().min(0)], { error: () => 'give a size like 4GiB, 500MB or 1048576' })
  .meta({ examples: ['4GiB', '500MB', 1048576] })
  .transform(read(parseSize));

/** Zero and negative durations count as not set. */
const duration = durationText.transform(
  read((text) => (text.startsWith('-') ? parseDuration(text.slice(1)) * 0 : parseDuration(text))),
);

/** A duration; zero selects the default, as in the reference (section 11, "fallback"). */
const wait = (text: string, about: string) =>
  duration
    .transform((ms) => ms || parseDuration(text))
    .prefault(text)
    .describe(`${about} Default ${text}.`);

const count = (value: number, about: string) =>
  z.int().min(0).default(value).describe(`${about} Default ${value}.`);

const gpu = z.strictObject({
  stack: z.enum(['', 'cuda', 'rocm']).default(''),
  driverVersion: z.string().default(''),
  hardwareTarget: z.string().default(''),
  deviceCount: z.int().min(0).default(0),
  vram: size.prefault(0),
});

const instanceType = z.strictObject({
  providerType: z.string().optional().describe('The provider’s name of the type. Default: the name here.'),
  vcpus: z.int().min(1),
  ram: size,
  includedScratch: size.prefault(0),
  addedScratch: size.prefault(0),
  price: z.number().min(0).describe('Dollars per hour.'),
  preemptible: z.boolean().default(false),
  gpu: gpu.prefault({}),
});

const bootStages = z.strictObject({
  requested: duration.optional(),
  addressed: duration.optional(),
  connected: duration.optional(),
  verified: duration.optional(),
  booted: duration.optional(),
  copied: duration.optional(),
});

const portRemedy = 'give a port from 1 to 65535, or ssh';
const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536;

const warmRule = z
  .strictObject({
    instanceType: z.string(),
    idle: z.int().min(1).default(1),
    schedule: z
      .string()
      .default('')
      .refine(isCron, 'give five cron fields of the minutes in which it holds, like "* 8-17 * * MON-FRI"')
      .describe('Cron expression of the minutes in which the rule applies; empty: always.'),
    timezone: z
      .string()
      .default('')
      .refine(isTimezone, 'give a name like Europe/Berlin')
      .describe('Empty: that of this host.'),
  })
  .describe('How many idle instances of a type are kept ready, and when.');

const pool = z.strictObject({
  tagKeyPrefix: z
    .string()
    .default('Arvados')
    .describe('Prefix of every tag key. Change it only while there are no instances.'),
  resourceTags: z.record(z.string(), z.string()).default({}).describe('Tags on every created resource.'),
  imageId: z.string().default(''),
  instanceInitCommand: z.string().default('').describe('Shell text that runs as root at first boot.'),
  deployPublicKey: z.boolean().default(true),
  plainSecretTag: z
    .boolean()
    .default(false)
    .describe(
      'Stores the plain secret in the tag of new instances, so that the old dispatcher can take them back. Whoever reads tags can then impersonate the instance: use it only during a transition.',
    ),
  sshPort: z
    .union([z.string(), z.int()], { error: () => portRemedy })
    .refine((port) => /^(ssh)?$/.test(String(port)) || isPort(String(port)), portRemedy)
    .transform(String)
    .prefault('22')
    .describe('For addresses without a port. Empty: ssh.'),
  bootProbeCommand: z
    .string()
    .default('systemctl is-system-running')
    .describe('Exit status 0: the instance has booted; empty: any response.'),
  probeInterval: wait('10s', 'Time between two probe rounds of an instance.'),
  maxProbesPerSecond: z
    .union([z.literal('auto'), z.number()], { error: () => 'give a number, or auto' })
    .default('auto')
    .transform((rate) => (rate !== 'auto' && rate < 1 ? 10 : rate))
    .describe('auto: enough to probe each instance once per probe interval, at least 10.'),
  syncInterval: wait('1m', 'Time between two lists of the provider.'),
  timeoutIdle: wait('1m', 'An instance that idles longer is destroyed.'),
  timeoutBooting: wait('10m', 'An instance that is not in service by then is destroyed.'),
  bootStageTimeouts: bootStages
    .default({})
    .describe('Shorter limits of boot stages; default timeoutBooting.'),
  timeoutProbe: wait('10m', 'An instance that does not respond for longer is destroyed.'),
  timeoutCollect: wait(
    '10m',
    'How long the daemon tries to collect the result of an ended container before the container counts as lost.',
  ),
  timeoutShutdown: wait('10s', 'The destroy call is repeated after this time.'),
  timeoutTerm: wait('2m', 'How long a container may take to stop before its instance drains.'),
  timeoutSignal: wait('5s', 'Time between two TERM signals.'),
  timeoutStaleRunLock: wait('5s', 'A run lock that is stale for longer marks the instance as broken.'),
  maxFailedStarts: count(3, 'Consecutive failed starts that drain an instance as broken; 0: no limit.'),
  commandTimeout: wait('1m', 'Deadline of each command on an instance.'),
  bootProbeTimeout: duration.optional().describe('Deadline of one boot probe. Default timeoutBooting.'),
  cloudCallTimeout: wait('5m', 'Deadline of each provider call.'),
  maxCloudOpsPerSecond: z.number().min(0).default(10).describe('0: no limit.'),
  maxConcurrentCreates: count(1, 'Concurrent create calls; 0: no limit.'),
  maxInstances: count(64, '0: no limit.'),
  quotaHoldOff: wait('1m', 'Delay of the quota breaker while the fleet has no instance that can terminate.'),
  capacityHoldOff: wait('1m', 'Delay of a capacity breaker.'),
  bootFailureLimit: count(5, 'Consecutive failed boots that open the boot breaker; 0: no limit.'),
  bootFailureHoldOff: wait('10m', 'First delay of the boot breaker; doubles each time.'),
  removeOrphans: z
    .boolean()
    .default(false)
    .describe('Destroys orphans: instances of this set without a launch record that never respond.'),
  orphanGrace: wait('1h', 'How long orphans are only reported, after timeoutBooting.'),
  quarantineGrace: wait(
    '15m',
    'A quarantined instance is destroyed when its containers do not end within this time.',
  ),
  warm: z.array(warmRule).default([]).describe('Warm instances.'),
  coolDown: duration.prefault(0).describe('Per type, one idle instance shuts down in this time.'),
  maxInstanceAge: duration.prefault(0).describe('Older instances drain; 0: no limit.'),
  maxContainersPerInstance: count(0, 'An instance drains after this many containers; 0: no limit.'),
  quotaRetry: wait('10m', 'At quota, one trial create call is made after this time.'),
});

const longestLog = 64 * 2 ** 20;

const runner = z.strictObject({
  deploy: z.string().default('built-in').describe('built-in, the path of a program, or empty to copy none.'),
  deployDirectory: z
    .string()
    .default('')
    .describe(
      'Empty: /var/lib/longshore/bin, or /tmp/arvados-crunch-run where that is unusable; with a controller always the latter.',
    ),
  command: z.string().default('crunch-run').describe('The command when nothing is copied.'),
  runtimeEngine: z.enum(['docker', 'singularity', 'podman']).default('docker'),
  arguments: z.array(z.string()).default([]),
  apiHost: z.string().default(''),
  apiHostInsecure: z.boolean().default(false),
  logLimit: size
    .refine((bytes) => bytes <= longestLog, 'give 64MiB at most: results are held in memory on their way')
    .prefault('1MiB')
    .describe('Bytes kept of each output stream of a container, at most 64MiB. Default 1MiB.'),
});

const scheduler = z.strictObject({
  maximumPriceFactor: z.number().default(1.5),
  onDemandFallback: z
    .boolean()
    .default(false)
    .describe('Default of preemptible containers that do not set it: on-demand instances are allowed.'),
  reserveExtraRam: size.prefault('550MiB'),
  localKeepBlobBuffersPerVcpu: count(1, 'Buffers of the storage client on instances; 0: no storage client.'),
  staleLockTimeout: wait('1m', 'How long a new daemon keeps the locks of an earlier one.'),
  maxDispatchAttempts: count(10, '0: no limit.'),
  pollInterval: wait('10s', 'Time between two reads of the queue.'),
  initialQuotaEstimate: count(0, '0: maxInstances.'),
  supervisorFraction: z.number().min(0).max(1).default(0.5),
  maxRunningContainersPerInstance: count(0, '0: no limit.'),
  preemptiblePriceFactor: z
    .number()
    .min(0)
    .default(0)
    .describe('Above 0: adds a preemptible variant of each type.'),
});

const controller = z.strictObject({
  url: z
    .string()
    .refine(isControllerUrl, 'give https://HOST or https://HOST:PORT, without a path, user or password')
    .transform((url) => url.replace(/\/+$/, ''))
    .default('')
    .describe('Address of a controller whose queue is served. Empty: the store is the queue.'),
  caFile: z.string().default('').describe('PEM file of certificate authorities instead of the system’s.'),
  insecure: z.boolean().default(false).describe('Accepts any certificate.'),
  requestTimeout: wait('1m', 'Deadline of each request to the controller.'),
  lookAhead: z
    .int()
    .min(1)
    .default(1_000)
    .describe('How many queued containers are fetched at a time, without workflow runners. Default 1000.'),
  clusterConfigFile: z
    .string()
    .default('')
    .describe('The cluster’s merged configuration, YAML or JSON, for runners with their own storage client.'),
  database: z
    .string()
    .regex(/^(postgres(ql)?:\/\/|$)/, 'give postgres://USER@HOST/DATABASE')
    .refine(holdsNoPassword, 'holds a password: take it out, and give it as controllerDatabasePassword')
    .default('')
    .describe(
      'postgres://USER@HOST/DATABASE of the cluster, for its dispatch lock. Default: from clusterConfigFile.',
    ),
  withoutLock: z
    .boolean()
    .default(false)
    .describe(
      'Leads without the dispatch lock: nothing prevents the old dispatcher from running at the same time.',
    ),
});

const journal = z.strictObject({
  maxEntries: z
    .int()
    .min(1_000, 'give at least 1000, or nothing can be explained')
    .default(1_000_000)
    .describe('The oldest entries beyond this are deleted. An entry takes about 500 bytes. Default 1000000.'),
  maxBytes: size
    .refine((bytes) => bytes >= 16 * 2 ** 20, 'give at least 16MiB, or nothing can be explained')
    .prefault('1GiB')
    .describe('The oldest entries beyond this size are deleted. Default 1GiB.'),
  maxAge: wait('30d', 'Older entries are deleted.'),
});

const logs = z.strictObject({
  maxAge: wait('90d', 'Container output is deleted this long after the end of the container.'),
});

const portRange = 'give a port, 0 to 65535';
const api = z
  .strictObject({
    listen: z
      .string()
      .refine(isListenAddress, 'give host:port like 127.0.0.1:9006; port 0 lets the system choose')
      .default('127.0.0.1:9006')
      .describe('host:port; port 0 is assigned by the system.'),
    tlsCertFile: z.string().default('').describe('PEM file.'),
    tlsKeyFile: z.string().default('').describe('PEM file.'),
    maxShells: z.int().min(0).default(32).describe('Maximum number of concurrent shells on instances.'),
    inspectPort: z
      .int()
      .min(0, portRange)
      .max(65_535, portRange)
      .default(0)
      .describe('Port of serve --inspect on loopback; 0 is assigned by the system.'),
  })
  .refine((settings) => (settings.tlsCertFile === '') === (settings.tlsKeyFile === ''), {
    path: ['tlsCertFile'],
    message: 'give both tlsCertFile and tlsKeyFile, or none',
  });

function isControllerUrl(text: string): boolean {
  return text === '' || /^https?:\/\/(?:\[[0-9a-fA-F:]+\]|[^\s/?#@:[\]]+)(?::\d{1,5})?\/*$/.test(text);
}

function isCron(text: string): boolean {
  if (text === '') return true;
  try {
    new Cron(text, { paused: true, mode: '5-part' });
    return true;
  } catch {
    return false;
  }
}

function isTimezone(name: string): boolean {
  if (name === '') return true;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function isListenAddress(text: string): boolean {
  const port = /^(?:\[[0-9a-fA-F:.]+\]|[^:\s[\]]*):(\d{1,5})$/.exec(text)?.[1];
  return port !== undefined && Number(port) < 65_536;
}

const passwordRemedy = 'holds a password: take it out, and give it as storePassword';

function holdsNoPassword(url: string): boolean {
  return !/^[a-z]+:\/\/[^@/?]*:[^@/?]*@/i.test(url) && !/[?&]password=/i.test(url);
}

/** The configuration file. */
export const fileSchema = z.strictObject({
  clusterId: z
    .string()
    .regex(/^[a-z0-9]{5}$/, 'give five characters a-z, 0-9')
    .describe('Five characters a-z, 0-9; the prefix of every container id.'),
  managementToken: z
    .string()
    .default('')
    .describe(
      'A secret, env:NAME, file:///path, or auto to generate one. Empty: the API refuses every request.',
    ),
  systemRootToken: z.string().default('').describe('Empty: generated and kept in the state folder.'),
  stateDir: z.string().default('').describe('Default: /var/lib/longshore, or below the home folder.'),
  store: z
    .string()
    .regex(
      /^(file:|postgres(ql)?:\/\/|(?![A-Za-z][A-Za-z0-9+.-]*:\/\/))/,
      'give a path, a file: URL or postgres://USER@HOST/DATABASE',
    )
    .refine(holdsNoPassword, passwordRemedy)
    .default('')
    .describe('A path, or postgres://USER@HOST/DATABASE. Default: longshore.db in the state folder.'),
  storePassword: z.string().default('').describe('Password of the PostgreSQL user; a secret.'),
  controllerDatabasePassword: z
    .string()
    .default('')
    .describe('Password of the user in controller.database; a secret.'),
  storeListen: z
    .string()
    .regex(/^(postgres(ql)?:\/\/|$)/, 'give postgres://USER@HOST/DATABASE')
    .refine(holdsNoPassword, passwordRemedy)
    .default('')
    .describe('Address of the PostgreSQL server itself, when store names a pooler.'),
  dispatchPrivateKey: z.string().default('').describe('Empty: generated and kept in the state folder.'),
  driver: z.string().default('loopback'),
  driverParameters: z.record(z.string(), z.unknown()).default({}),
  instanceTypes: z
    .record(
      z.string().regex(/^[A-Za-z0-9._-]+$/, 'use letters, digits, dot, dash and underscore'),
      instanceType,
    )
    .default({}),
  pool: pool.prefault({}),
  runner: runner.prefault({}),
  scheduler: scheduler.prefault({}),
  controller: controller.prefault({}),
  journal: journal.prefault({}),
  logs: logs.prefault({}),
  api: api.prefault({}),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});

export type ConfigFile = z.infer<typeof fileSchema>;
export type InstanceTypeFile = z.infer<typeof instanceType>;
