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

/** Zero and negative durations count as not given. */
const duration = durationText.transform(
  read((text) => (text.startsWith('-') ? parseDuration(text.slice(1)) * 0 : parseDuration(text))),
);

/** A duration whose zero stands for its default, as it always did (section 11, "fallback"). */
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
  providerType: z.string().optional().describe('The provider’s name of it. Default: the name here.'),
  vcpus: z.int().min(1),
  ram: size,
  includedScratch: size.prefault(0),
  addedScratch: size.prefault(0),
  price: z.number().min(0).describe('Dollars an hour.'),
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
      .describe('Cron text of the minutes in which it holds; empty: always.'),
    timezone: z
      .string()
      .default('')
      .refine(isTimezone, 'give a name like Europe/Berlin')
      .describe('Empty: the one of this host.'),
  })
  .describe('How many idle instances of a type stand ready, and when.');

const pool = z.strictObject({
  tagKeyPrefix: z
    .string()
    .default('Arvados')
    .describe('Begins every tag key. Change it only while there is no instance.'),
  resourceTags: z.record(z.string(), z.string()).default({}).describe('Put on everything that is made.'),
  imageId: z.string().default(''),
  instanceInitCommand: z.string().default('').describe('Shell text, run as root at first boot.'),
  deployPublicKey: z.boolean().default(true),
  plainSecretTag: z
    .boolean()
    .default(false)
    .describe(
      'Tags new instances with their secret itself, which the old dispatcher needs to take them back. Whoever reads tags can then pass as the instance: only during a transition.',
    ),
  sshPort: z
    .union([z.string(), z.int()], { error: () => portRemedy })
    .refine((port) => /^(ssh)?$/.test(String(port)) || isPort(String(port)), portRemedy)
    .transform(String)
    .prefault('22')
    .describe('For addresses that name no port. Empty: ssh.'),
  bootProbeCommand: z
    .string()
    .default('systemctl is-system-running')
    .describe('Succeeds once booted; empty: any answer.'),
  probeInterval: wait('10s', 'How often each instance is asked what runs.'),
  maxProbesPerSecond: z
    .union([z.literal('auto'), z.number()], { error: () => 'give a number, or auto' })
    .default('auto')
    .transform((rate) => (rate !== 'auto' && rate < 1 ? 10 : rate))
    .describe('auto: enough for each instance once in a probe interval, 10 at least.'),
  syncInterval: wait('1m', 'How often the provider is asked for its list.'),
  timeoutIdle: wait('1m', 'An instance idle for longer is destroyed.'),
  timeoutBooting: wait('10m', 'An instance not in service by then is destroyed.'),
  bootStageTimeouts: bootStages
    .default({})
    .describe('Shorter limits for stages of the boot; default timeoutBooting.'),
  timeoutProbe: wait('10m', 'An instance that does not answer for longer is destroyed.'),
  timeoutCollect: wait(
    '10m',
    'How long the result of a container that ended is asked for before the container counts as lost.',
  ),
  timeoutShutdown: wait('10s', 'After this long the order to destroy is given again.'),
  timeoutTerm: wait('2m', 'How long a container is asked to end before its instance is given up.'),
  timeoutSignal: wait('5s', 'Pause between two TERMs.'),
  timeoutStaleRunLock: wait('5s', 'A lock stale for longer means a broken instance.'),
  maxFailedStarts: count(
    3,
    'So many failed starts in a row drain an instance as broken; 0: any number is borne.',
  ),
  commandTimeout: wait('1m', 'Bound of each command on an instance.'),
  bootProbeTimeout: duration.optional().describe('Bound of one boot probe. Default timeoutBooting.'),
  cloudCallTimeout: wait('5m', 'Bound of each call to the provider.'),
  maxCloudOpsPerSecond: z.number().min(0).default(10).describe('0: no limit.'),
  maxConcurrentCreates: count(1, 'Create calls at once; 0: no limit.'),
  maxInstances: count(64, '0: no limit.'),
  quotaHoldOff: wait('1m', 'Pause after a quota error while there is no instance that could go.'),
  capacityHoldOff: wait('1m', 'Pause after the provider had no capacity.'),
  bootFailureLimit: count(
    5,
    'Failed boots in a row after which nothing is created for a while; 0: no limit.',
  ),
  bootFailureHoldOff: wait('10m', 'The first such pause; each further one is twice as long.'),
  removeOrphans: z
    .boolean()
    .default(false)
    .describe('Destroys instances of this set that nobody recorded and that never answer.'),
  orphanGrace: wait('1h', 'How long they are only reported, from the end of timeoutBooting on.'),
  warm: z.array(warmRule).default([]).describe('Idle instances that stand ready.'),
  coolDown: duration.prefault(0).describe('Of a type one instance in this time is given back for idling.'),
  maxInstanceAge: duration.prefault(0).describe('Older ones are drained; 0: any age will do.'),
  maxContainersPerInstance: count(0, 'After so many an instance is drained; 0: no limit.'),
  quotaRetry: wait('10m', 'At quota, one trial create is made after this long.'),
});

const longestLog = 64 * 2 ** 20;

const runner = z.strictObject({
  deploy: z.string().default('built-in').describe('built-in, the path of a program, or empty to copy none.'),
  deployDirectory: z
    .string()
    .default('')
    .describe(
      'Empty: /var/lib/longshore/bin, or /tmp/arvados-crunch-run where that cannot be used; with a controller only the latter.',
    ),
  command: z.string().default('crunch-run').describe('Used when nothing is copied.'),
  runtimeEngine: z.enum(['docker', 'singularity', 'podman']).default('docker'),
  arguments: z.array(z.string()).default([]),
  apiHost: z.string().default(''),
  apiHostInsecure: z.boolean().default(false),
  logLimit: size
    .refine((bytes) => bytes <= longestLog, 'give 64MiB at most: results are held in memory on their way')
    .prefault('1MiB')
    .describe('Bytes kept of each output stream of a container, 64MiB at most. Default 1MiB.'),
});

const scheduler = z.strictObject({
  maximumPriceFactor: z.number().default(1.5),
  onDemandFallback: z
    .boolean()
    .default(false)
    .describe('Whether preemptible containers that do not say may run on on-demand instances.'),
  reserveExtraRam: size.prefault('550MiB'),
  localKeepBlobBuffersPerVcpu: count(1, 'Buffers of the storage client on instances; 0: it is not there.'),
  staleLockTimeout: wait('1m', 'How long containers locked by an earlier daemon are waited for.'),
  maxDispatchAttempts: count(10, '0: no limit.'),
  pollInterval: wait('10s', 'How often the queue is read again.'),
  initialQuotaEstimate: count(0, '0: maxInstances.'),
  supervisorFraction: z.number().min(0).max(1).default(0.5),
  maxRunningContainersPerInstance: count(0, '0: no limit.'),
  preemptiblePriceFactor: z
    .number()
    .min(0)
    .default(0)
    .describe('Above 0: adds a preemptible twin of each type.'),
});

const controller = z.strictObject({
  url: z
    .string()
    .refine(isControllerUrl, 'give https://HOST or https://HOST:PORT, without a path, user or password')
    .transform((url) => url.replace(/\/+$/, ''))
    .default('')
    .describe('Address of a controller whose containers are run. Empty: the own store is the queue.'),
  caFile: z.string().default('').describe('PEM file of the authorities to trust in place of the system’s.'),
  insecure: z.boolean().default(false).describe('Takes any certificate.'),
  requestTimeout: wait('1m', 'Bound of each call to the controller.'),
  lookAhead: z
    .int()
    .min(1)
    .default(1_000)
    .describe(
      'How many queued containers are looked for at a time, workflow runners not counted. Default 1000.',
    ),
  clusterConfigFile: z
    .string()
    .default('')
    .describe(
      'The cluster’s merged configuration, YAML or JSON, for runners that have their own storage client.',
    ),
  database: z
    .string()
    .regex(/^(postgres(ql)?:\/\/|$)/, 'give postgres://USER@HOST/DATABASE')
    .refine(holdsNoPassword, 'holds a password: take it out, and give it as controllerDatabasePassword')
    .default('')
    .describe(
      'postgres://USER@HOST/DATABASE of the cluster, for its dispatch lock. Default: of clusterConfigFile.',
    ),
  withoutLock: z
    .boolean()
    .default(false)
    .describe(
      'Leads without the dispatch lock: nothing keeps the old dispatcher from running at the same time.',
    ),
});

const journal = z.strictObject({
  maxEntries: z
    .int()
    .min(1_000, 'give at least 1000, or nothing can be explained')
    .default(1_000_000)
    .describe('The oldest go when there are more. An entry takes about 500 bytes. Default 1000000.'),
  maxBytes: size
    .refine((bytes) => bytes >= 16 * 2 ** 20, 'give at least 16MiB, or nothing can be explained')
    .prefault('1GiB')
    .describe('The oldest go when their texts take more. Default 1GiB.'),
  maxAge: wait('30d', 'Older entries go.'),
});

const logs = z.strictObject({
  maxAge: wait('90d', 'What a container printed goes this long after it ended.'),
});

const portRange = 'give a port, 0 to 65535';
const api = z
  .strictObject({
    listen: z
      .string()
      .refine(isListenAddress, 'give host:port like 127.0.0.1:9006; port 0 lets the system choose')
      .default('127.0.0.1:9006')
      .describe('host:port; port 0 lets the system choose.'),
    tlsCertFile: z.string().default('').describe('PEM file.'),
    tlsKeyFile: z.string().default('').describe('PEM file.'),
    maxShells: z.int().min(0).default(32).describe('Shells on instances that may be open at once.'),
    inspectPort: z
      .int()
      .min(0, portRange)
      .max(65_535, portRange)
      .default(0)
      .describe('Where serve --inspect listens, on loopback; 0 lets the system choose.'),
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
    .describe('Five characters a-z, 0-9; begins every container id.'),
  managementToken: z
    .string()
    .default('')
    .describe('A secret, env:NAME, file:///path, or auto to have one made. Empty: the API refuses everyone.'),
  systemRootToken: z.string().default('').describe('Empty: one is made and kept in the state folder.'),
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
  storePassword: z.string().default('').describe('Of the PostgreSQL user; a secret.'),
  controllerDatabasePassword: z
    .string()
    .default('')
    .describe('Of the user in controller.database; a secret.'),
  storeListen: z
    .string()
    .regex(/^(postgres(ql)?:\/\/|$)/, 'give postgres://USER@HOST/DATABASE')
    .refine(holdsNoPassword, passwordRemedy)
    .default('')
    .describe('The PostgreSQL server itself, when store names a pooler in front of it.'),
  dispatchPrivateKey: z.string().default('').describe('Empty: one is made and kept in the state folder.'),
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
