import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { loadConfig, parseConfig } from '../../src/config/load.js';
import { fileSchema } from '../../src/config/schema.js';
import { ensureSecrets, madeManagementToken } from '../../src/config/secrets.js';
import { publicKeyOf } from '../../src/ssh/keys.js';

/** Of containers that share an instance: no mistake. */
const isOfTrust = (warning: string): boolean =>
  warning.startsWith('driver loopback: it is for trusted work only') ||
  warning.startsWith('scheduler.maxRunningContainersPerInstance: containers without an image');
const parse = (text: string, env = {}) =>
  parseConfig(`clusterId: local\n${text}`, { path: '/etc/ls/c.yaml', env });

describe('settings', () => {
  it('of time fall back to their defaults when zero or negative (C-2..C-11)', () => {
    const { pool } = parse(
      "pool: { timeoutIdle: -5s, syncInterval: 0, timeoutTerm: '0', bootProbeTimeout: -1h }",
    );
    expect(pool).toMatchObject({ timeoutIdleMs: 60_000, syncIntervalMs: 60_000, timeoutTermMs: 120_000 });
    expect(pool.bootProbeTimeoutMs).toBe(pool.timeoutBootingMs);
  });

  it('of boot stages fall back to the time for the whole boot', () => {
    const { pool } = parse(
      'pool: { timeoutBooting: 3m, bootStageTimeouts: { connected: 20s, verified: 0 } }',
    );
    expect(pool.bootStageTimeoutsMs).toMatchObject({ connected: 20_000, verified: 180_000, copied: 180_000 });
  });

  it('keep zero where it means "no limit" (C-12..C-14, CF-13)', () => {
    const { pool } = parse('pool: { maxCloudOpsPerSecond: 0, maxConcurrentCreates: 0, maxInstances: 0 }');
    expect(pool).toMatchObject({ maxCloudOpsPerSecond: 0, maxConcurrentCreates: 0, maxInstances: 0 });
  });

  it('that are paths start from the folder of the file', () => {
    const text =
      'stateDir: state\nstore: file:data/x.db\nrunner: { deploy: bin/run }\napi: { tlsCertFile: c, tlsKeyFile: /k }\n';
    expect(parse(text)).toMatchObject({
      stateDir: '/etc/ls/state',
      store: '/etc/ls/data/x.db',
      runner: { deploy: '/etc/ls/bin/run' },
      api: { tlsCertFile: '/etc/ls/c', tlsKeyFile: '/k' },
    });
  });

  it('put the runner program where it outlives a reboot, or where a controller looks for it (P-9)', () => {
    expect(parse('').runner).toMatchObject({
      deployDirectory: '/var/lib/longshore/bin',
      deployFallback: '/tmp/arvados-crunch-run',
    });
    const { runner } = parse(
      "systemRootToken: v2/zzzzz-gj3su-077z32aux8dg2s1/abc\nrunner: { deploy: '' }\n" +
        'scheduler: { localKeepBlobBuffersPerVcpu: 0 }\ncontroller: { url: https://c.example, withoutLock: true }',
    );
    expect(runner.deployDirectory).toBe('/tmp/arvados-crunch-run');
    expect(runner.deployFallback).toBeUndefined();
    const chosen = parse('runner: { deployDirectory: /opt/x }').runner;
    expect([chosen.deployDirectory, chosen.deployFallback]).toEqual(['/opt/x', undefined]);
  });

  it('put the state folder where this user may write', () => {
    const { stateDir, store } = parse('', { XDG_STATE_HOME: '/xdg' });
    const isRoot = process.getuid?.() === 0;
    expect(stateDir).toBe(isRoot ? '/var/lib/longshore' : '/xdg/longshore');
    expect(store).toBe(`${stateDir}/longshore.db`);
    if (!isRoot)
      expect(parse('', { XDG_STATE_HOME: '' }).stateDir).toBe(`${homedir()}/.local/state/longshore`);
  });

  it('of a GPU and of scratch make up the instance type (C-31)', () => {
    const text = `instanceTypes:
  big: { providerType: g5, vcpus: 4, ram: 16GiB, includedScratch: 1GB, addedScratch: 2GB, price: 1,
         gpu: { stack: cuda, driverVersion: "12", hardwareTarget: "8.6", deviceCount: 1, vram: 24GiB } }\n`;
    expect(parse(text).instanceTypes.get('big')).toMatchObject({
      providerType: 'g5',
      scratchBytes: 3e9,
      gpu: { stack: 'cuda', deviceCount: 1, vramBytes: 24 * 2 ** 30 },
    });
  });

  it('make preemptible twins, and warn where another type has the name (CF-7)', () => {
    const types = (twin: string) => `scheduler: { preemptiblePriceFactor: 0.5 }
instanceTypes:
  a: { vcpus: 1, ram: 1GiB, price: 1 }
  a.preemptible: { vcpus: 1, ram: 1GiB, ${twin} }
  b: { vcpus: 1, ram: 1GiB, price: 3, preemptible: true }\n`;
    const other = parse(types('price: 0.9, preemptible: true'));
    expect(other.instanceTypes.get('a.preemptible')!.price).toBe(0.9);
    expect(other.warnings.filter((warning) => !isOfTrust(warning))).toEqual([
      expect.stringContaining('instanceTypes.a.preemptible: is kept as it is'),
    ]);
    expect([...other.instanceTypes.keys()]).toEqual(['a', 'a.preemptible', 'b']);
    const same = parse(types('providerType: a, price: 0.5, preemptible: true'));
    expect(same.warnings.filter((warning) => !isOfTrust(warning))).toEqual([]);
  });

  it('have a JSON Schema that names each of them and its meaning', () => {
    const schema = JSON.stringify(z.toJSONSchema(fileSchema, { io: 'input', unrepresentable: 'any' }));
    for (const name of ['timeoutIdle', 'preemptiblePriceFactor', 'bootStageTimeouts', 'tlsKeyFile']) {
      expect(schema).toContain(`"${name}":`);
    }
    expect(schema).toContain('An instance that idles longer is destroyed. Default 1m.');
  });

  it('of time read any duration they can write', () => {
    const unit = fc.constantFrom('ms', 's', 'm', 'h', 'd');
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9_999 }), unit, (count, name) => {
        const { timeoutIdleMs } = parse(`pool: { timeoutIdle: ${count}${name} }`).pool;
        expect(timeoutIdleMs).toBe(count * { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 }[name]);
      }),
    );
  });
});

/** No configuration: "longshore simulate" reads it, and a test of its own. */
const workloadExample = 'burst.yaml';

describe('the examples', () => {
  it.each(readdirSync('examples').filter((name) => name.endsWith('.yaml') && name !== workloadExample))(
    'hold no mistake: %s',
    (name) => {
      const { instanceTypes, warnings } = loadConfig(join('examples', name), {}, []);
      expect(instanceTypes.size).toBeGreaterThan(0);
      expect(warnings.filter((warning) => !isOfTrust(warning))).toEqual([]);
    },
  );
});

describe('secrets that are left open', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'longshore-secrets-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const config = (more = '') => parse(`stateDir: ${join(folder, 'state')}\n${more}`);
  const modeOf = (name: string) => statSync(join(folder, 'state', name)).mode & 0o777;

  it('are made once, kept for this user only, and found again', () => {
    const first = ensureSecrets(config());
    expect(first.systemRootToken).toMatch(/^[0-9a-f]{64}$/);
    expect(publicKeyOf(first.dispatchPrivateKey)).toContain('ssh-ed25519');
    expect(ensureSecrets(config())).toEqual(first);
    expect(readdirSync(join(folder, 'state')).sort()).toEqual(['dispatch-key', 'system-root-token']);
    expect([modeOf('dispatch-key'), modeOf('system-root-token'), modeOf('.')]).toEqual([0o600, 0o600, 0o700]);
  });

  it('stay open when it is the management token, unless one is asked for (H-1)', () => {
    expect(ensureSecrets(config()).managementToken).toBe('');
    const auto = config('managementToken: auto');
    expect([auto.managementToken, madeManagementToken(auto)]).toEqual(['', '']);
    const { managementToken } = ensureSecrets(auto);
    expect(managementToken).toMatch(/^[0-9a-f]{64}$/);
    expect([madeManagementToken(auto), modeOf('management-token')]).toEqual([managementToken, 0o600]);
  });

  it('are not made where the configuration gives them', () => {
    const given = ensureSecrets(config('systemRootToken: mine'));
    expect(given.systemRootToken).toBe('mine');
    expect(readdirSync(join(folder, 'state'))).toEqual(['dispatch-key']);
  });

  it('are closed to others again when somebody opened them', () => {
    ensureSecrets(config());
    chmodSync(join(folder, 'state', 'dispatch-key'), 0o644);
    ensureSecrets(config());
    expect(modeOf('dispatch-key')).toBe(0o600);
  });

  it('that were emptied are a fault, not an empty token', () => {
    ensureSecrets(config());
    writeFileSync(join(folder, 'state', 'system-root-token'), '\n');
    expect(() => ensureSecrets(config())).toThrow('the secret is empty: put it back, or remove the file');
    expect(readFileSync(join(folder, 'state', 'system-root-token'), 'utf8')).toBe('\n');
  });

  it('that cannot be kept are told with a remedy', () => {
    writeFileSync(join(folder, 'state'), 'a file in the way');
    expect(() => ensureSecrets(config())).toThrow(/cannot be kept here \(\w+\): make stateDir writable/);
  });
});
