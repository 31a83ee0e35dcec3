import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/config-error.js';
import { parseConfig } from '../../src/config/load.js';
import { formatDuration, parseDuration } from '../../src/domain/duration.js';
import { formatSize, parseSize } from '../../src/domain/size.js';

const base = `clusterId: local
instanceTypes:
  small: { vcpus: 1, ram: 1GiB, price: 0.1 }
`;
const parse = (text: string, env = {}) => parseConfig(text, { path: '/nowhere/c.yaml', env });

function problems(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('the configuration', () => {
  it('has the defaults of the reference (C-1..C-31, CF-1..CF-15)', () => {
    const { pool, scheduler, runner, instanceTypes } = parse(base);
    expect(pool).toMatchObject({
      bootProbeCommand: 'systemctl is-system-running',
      probeIntervalMs: 10_000,
      maxProbesPerSecond: 'auto',
      syncIntervalMs: 60_000,
      timeoutIdleMs: 60_000,
      timeoutBootingMs: 600_000,
      timeoutProbeMs: 600_000,
      timeoutCollectMs: 600_000,
      timeoutShutdownMs: 10_000,
      timeoutTermMs: 120_000,
      timeoutSignalMs: 5_000,
      timeoutStaleRunLockMs: 5_000,
      maxFailedStarts: 3,
      maxCloudOpsPerSecond: 10,
      maxConcurrentCreates: 1,
      maxInstances: 64,
      deployPublicKey: true,
      tagKeyPrefix: 'Arvados',
      sshPort: '22',
      quotaHoldOffMs: 60_000,
      capacityHoldOffMs: 60_000,
    });
    expect(scheduler).toMatchObject({
      maximumPriceFactor: 1.5,
      reserveExtraRamBytes: 550 * 2 ** 20,
      localKeepBlobBuffersPerVcpu: 1,
      staleLockTimeoutMs: 60_000,
      maxDispatchAttempts: 10,
      pollIntervalMs: 10_000,
      supervisorFraction: 0.5,
    });
    expect(runner).toMatchObject({ deploy: 'built-in', command: 'crunch-run', runtimeEngine: 'docker' });
    expect(instanceTypes.get('small')).toMatchObject({
      name: 'small',
      providerType: 'small',
      ramBytes: 2 ** 30,
    });
  });

  it('takes zero as "use the default" for waits, and a rate below one as ten (section 11)', () => {
    const { pool } = parse(`${base}pool: { timeoutIdle: 0, probeInterval: '0', maxProbesPerSecond: 0 }`);
    expect([pool.timeoutIdleMs, pool.probeIntervalMs, pool.maxProbesPerSecond]).toEqual([60_000, 10_000, 10]);
  });

  it.each([
    ['pool: { timeoutIdel: 5s }', 'pool.timeoutIdel: is not a setting: did you mean timeoutIdle?'],
    [
      'pool: { timeoutIdle: soon }',
      'pool.timeoutIdle: "soon" is no duration: write it like 10s, 1h30m or 500ms',
    ],
    ['runner: { logLimit: 1QB }', 'runner.logLimit: "1QB" is no size'],
    ['pool: { maxInstances: -1 }', 'pool.maxInstances:'],
    ['logLevel: loud', 'logLevel:'],
    ['nonsense: 1', 'nonsense: is not a setting: known are clusterId'],
    ['api: { tlsCertFile: x }', 'api.tlsCertFile: give both'],
    ['managementToken: env:NOT_SET', 'managementToken: the environment variable NOT_SET is not set'],
    ['systemRootToken: file:///nowhere/token', 'systemRootToken: there is no file /nowhere/token'],
  ])('says what is wrong with %s', (line, message) => {
    expect(problems(`${base}${line}\n`).join('\n')).toContain(message);
  });

  it('names line and column, and every problem at once', () => {
    const found = problems(`clusterId: TOOLONG\ninstanceTypes:\n  small: { vcpus: 0, ram: x, price: 1 }\n`);
    expect(found).toHaveLength(3);
    expect(found[0]).toMatch(/^\/nowhere\/c\.yaml:1:12: clusterId: give five characters/);
  });

  it('refuses a list of instance types, and none at all (CF-6)', () => {
    expect(problems('clusterId: local\ninstanceTypes: [a]\n')[0]).toContain('instanceTypes: give a map');
    expect(problems('clusterId: local\ndriver: ec2\n')[0]).toContain('give at least one instance type');
  });

  it('takes this host as the one type of the loopback driver (D-2, T-82)', () => {
    const [type] = parse('clusterId: local\n').instanceTypes.values();
    expect(type).toMatchObject({ name: 'localhost', providerType: 'localhost', price: 1 });
  });

  it('says where YAML breaks', () => {
    expect(problems('a: [1,\nb: 2')[0]).toMatch(/^\/nowhere\/c\.yaml:\d+:\d+: this is no YAML/);
  });

  it('fetches the secrets among the parameters of a driver from where they are', () => {
    const text = `${base}driver: ec2\ndriverParameters: { region: us-east-1, accessKeyId: AKIA, secretAccessKey: env:AZ, adminUsername: env:AZ }\n`;
    const options = { path: '/nowhere/c.yaml', env: { AZ: 'topsecret' } };
    expect(parseConfig(text, options).driverParameters).toEqual({
      region: 'us-east-1',
      accessKeyId: 'AKIA',
      secretAccessKey: 'topsecret',
      adminUsername: 'env:AZ',
    });
    expect(problems(text)[0]).toContain(
      'driverParameters.secretAccessKey: the environment variable AZ is not set',
    );
    expect(parseConfig(text, { ...options, env: {}, secrets: [] }).driverParameters).toMatchObject({
      secretAccessKey: 'env:AZ',
    });
  });

  it('never shows a secret in an error', () => {
    const text = `${base}managementToken: [topsecret]\nsystemRootToken: { a: topsecret }\n`;
    expect(problems(text).join(' ')).not.toContain('topsecret');
  });

  it('adds preemptible twins when asked (CF-7)', () => {
    const { instanceTypes } = parse(`${base}scheduler: { preemptiblePriceFactor: 0.5 }\n`);
    expect(instanceTypes.get('small.preemptible')).toMatchObject({ preemptible: true, price: 0.05 });
  });
});

describe('durations and sizes', () => {
  it('read what they write', () => {
    fc.assert(fc.property(fc.nat(1e9), (ms) => parseDuration(formatDuration(ms)) === ms));
  });

  it('never take nonsense for a number', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const read of [parseDuration, parseSize]) {
          try {
            expect(Number.isSafeInteger(read(text))).toBe(true);
          } catch (error) {
            expect((error as Error).message).toContain(text);
          }
        }
      }),
    );
  });

  it('know units', () => {
    expect([parseDuration('1h30m'), parseSize('1.5GiB'), parseSize('500MB')]).toEqual([
      5_400_000,
      1.5 * 2 ** 30,
      5e8,
    ]);
    expect([formatSize(2 ** 30), formatSize(1536), formatSize(0)]).toEqual(['1GiB', '1.5KiB', '0B']);
  });
});
