import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudTest } from './cloud-test.js';
import type { CloudTestReport, LoginHint, StepName, StepReport, CloudTestCommand } from './report.js';
import type { Config } from '../config/config.js';
import { driverSecretsOf } from '../config/driver-secrets.js';
import type { Clock } from '../domain/clock.js';
import { tagKeys } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import { DriverError, type DriverWarning } from '../drivers/driver.js';
import type { DriverRecord } from '../drivers/driver-record.js';
import { openDriver } from '../drivers/registry.js';
import { ProviderBreakers } from '../fleet/provider-breakers.js';
import { wrapDriver } from '../drivers/wrappers/wrap.js';
import { openDatabase } from '../queue/store/database.js';
import { lockStore } from '../queue/store/store-lock.js';
import { isPostgresUrl } from '../queue/store/store-url.js';
import { storedDriverRecord } from '../daemon/driver-record.js';
import { sshExecutors } from '../daemon/ssh-executors.js';
import { storeTarget } from '../daemon/store-admin.js';
import type { ExecutorFactory } from '../ssh/executor.js';
import { publicKeyOf } from '../ssh/keys.js';

export interface CloudTestWishes {
  /** `''`: the cheapest. */
  instanceType: string;
  /** `''`: as configured. */
  imageId: string;
  /** Instance set of the test. */
  instanceSetId: string;
  destroyExisting: boolean;
  command: string;
  lookAround?: ((login: LoginHint, signal: AbortSignal) => Promise<void>) | undefined;
  signal: AbortSignal;
  begun(step: StepName, zone: string): void;
  done(report: StepReport): void;
  warn: DriverWarning;
}

const timeoutDestroyMs = 600_000;
const longestPauseMs = 2_000;

/**
 * Tests the configured cloud with one instance from creation to destruction, through the driver's wrappers. Rejects when
 * the test cannot start: a wrong type, wrong parameters, or missing credentials.
 */
export async function testCloud(
  config: Config,
  { clock, executors }: { clock: Clock; executors: ExecutorFactory },
  wishes: CloudTestWishes,
): Promise<CloudTestReport> {
  const { pool } = config;
  const instanceType = typeOf(config, wishes.instanceType);
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  // Static hosts are shared with the daemon, and its store records which are free.
  const memory = config.driver === 'static' ? await openRecord(config) : undefined;
  try {
    const secrets = driverSecretsOf(config);
    const raw = await openDriver(config.driver, {
      parameters: config.driverParameters,
      instanceSetId: wishes.instanceSetId,
      stateDir: config.stateDir,
      folder: config.folder,
      clock,
      random: Math.random,
      executors,
      ...(memory && { record: memory.record }),
      secrets,
      resourceTags: pool.resourceTags,
      warn: wishes.warn,
    });
    const timeoutMs = pool.cloudCallTimeoutMs;
    const driver = wrapDriver(raw, {
      clock,
      resourceTags: pool.resourceTags,
      opsPerSecond: pool.maxCloudOpsPerSecond,
      timeoutMs,
      secrets,
      breakers: new ProviderBreakers({ clock, trialTimeoutMs: timeoutMs }),
      observe: () => {},
    });
    try {
      return await new CloudTest({
        ...wishes,
        clock,
        driver,
        executors,
        instanceType,
        resourceTags: pool.resourceTags,
        tagKeys: tagKeys(pool.tagKeyPrefix),
        imageId: wishes.imageId || pool.imageId,
        instanceInitCommand: pool.instanceInitCommand,
        publicKey: pool.deployPublicKey ? publicKeyOf(config.dispatchPrivateKey) : undefined,
        newSecret: () => randomBytes(20).toString('hex'),
        defaultPort: pool.sshPort,
        bootProbeCommand: pool.bootProbeCommand,
        destroysLeftovers: wishes.destroyExisting,
        timeoutBootingMs: pool.timeoutBootingMs,
        timeoutDestroyMs,
        pauseMs: Math.min(longestPauseMs, pool.probeIntervalMs, pool.syncIntervalMs),
      }).run();
    } finally {
      await driver.stop();
    }
  } finally {
    await memory?.close();
  }
}

/** The driver's record in the store. An embedded store has one user at a time, so the daemon must not run. */
async function openRecord(config: Config): Promise<{ record: DriverRecord; close(): Promise<void> }> {
  const target = storeTarget(config);
  const release = isPostgresUrl(target.url) ? () => {} : lockStore(target.url);
  try {
    const db = await openDatabase(target);
    const close = async (): Promise<void> => {
      await db.destroy();
      release();
    };
    return { record: storedDriverRecord(db, config.driver), close };
  } catch (error) {
    release();
    throw error;
  }
}

/** The command `cloudtest` on this terminal. Rejects when the test cannot start. */
export function runCloudTest(
  config: Config,
  clock: Clock,
  command: CloudTestCommand,
  signal: AbortSignal,
): Promise<CloudTestReport> {
  const { type, image, setId, destroyExisting, pause, shell, begun, done, said } = command;
  return testCloud(
    config,
    { clock, executors: sshExecutors(config, clock) },
    {
      instanceType: type,
      imageId: image,
      instanceSetId: setId,
      destroyExisting,
      command: command.command,
      lookAround: shell ? (login, until) => openShell(config.dispatchPrivateKey, login, until) : pause,
      signal,
      begun: (step, zone) => begun(zone === '' ? step : `${step} (${zone})`),
      done,
      warn: (message, { err, ...fields }) => {
        const why = err instanceof Error ? err.message : JSON.stringify(fields);
        said(`${message}: ${why}`);
      },
    },
  );
}

/** Runs `ssh` on this terminal with the daemon's key, accepting only the host key that the test accepted. */
async function openShell(
  privateKey: string,
  { host, port, user, hostKey }: LoginHint,
  signal: AbortSignal,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'longshore-shell-'));
  try {
    const [key, known] = [join(folder, 'key'), join(folder, 'known_hosts')];
    writeFileSync(key, `${privateKey.trim()}\n`, { mode: 0o600 });
    const bytes = Buffer.from(hostKey);
    const keyType = bytes.subarray(4, 4 + bytes.readUInt32BE(0)).toString('ascii');
    writeFileSync(known, `[${host}]:${port} ${keyType} ${bytes.toString('base64')}\n`);
    const options = ['StrictHostKeyChecking=yes', `UserKnownHostsFile=${known}`, 'IdentitiesOnly=yes'];
    const args = [
      '-i',
      key,
      '-p',
      String(port),
      ...options.flatMap((each) => ['-o', each]),
      `${user}@${host}`,
    ];
    const child = spawn('ssh', args, { stdio: 'inherit', signal });
    await new Promise<void>((resolve, reject) => {
      child.on('error', (cause) =>
        signal.aborted ? resolve() : reject(new Error('the program ssh cannot be started', { cause })),
      );
      child.on('exit', () => resolve());
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function typeOf({ instanceTypes }: Config, name: string): InstanceType {
  const types = [...instanceTypes.values()];
  const type = name === '' ? types.toSorted((a, b) => a.price - b.price)[0] : instanceTypes.get(name);
  if (type) return type;
  const known = types.map((each) => each.name).join(', ');
  throw new DriverError('invalid', `there is no instance type "${name}": use one of ${known}`);
}
