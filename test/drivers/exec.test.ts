import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import { DriverError, type Driver } from '../../src/drivers/driver.js';
import { openDriver } from '../../src/drivers/registry.js';
import { generateKeyPair, rawPublicKeyOf } from '../../src/ssh/keys.js';
import { describeDriverContract, errorOf, options, secret, spec, type, wrapped } from './contract.js';
import { isAlive } from './login.js';

const program = fileURLToPath(new URL('exec-program.mjs', import.meta.url));
const hostKey = generateKeyPair();
const password = 'correct horse battery';

let cloud: string;
let warnings: string[];
let opened: Driver[];

const begin = async (): Promise<void> => {
  cloud = await mkdtemp(join(tmpdir(), 'longshore-exec-'));
  warnings = [];
  opened = [];
};
const cleanUp = async (): Promise<void> => {
  for (const driver of opened.splice(0)) await driver.stop();
  await rm(cloud, { recursive: true, force: true });
};

async function open(change: object = {}, hello: object = { protocol: 1 }): Promise<Driver> {
  const driver = await openDriver('exec', {
    parameters: {
      command: [process.execPath, program],
      env: { CLOUD_DIR: cloud, CLOUD_PASSWORD: password, CLOUD_HOST_KEY: hostKey.publicKey },
      parameters: { hello },
      ...change,
    },
    instanceSetId: 'zzzzz-gj3su-abc',
    stateDir: cloud,
    folder: cloud,
    clock: systemClock,
    random: Math.random,
    secrets: [password],
    warn: (message, fields) => warnings.push(`${message} ${JSON.stringify(fields)}`),
  });
  opened.push(driver);
  return driver;
}

const setFault = (fault: string): Promise<void> => writeFile(join(cloud, 'fault'), fault);
const pids = async (): Promise<number[]> =>
  (await readdir(cloud)).flatMap((name) => (name.startsWith('pid-') ? [Number(name.slice(4))] : []));

describeDriverContract('exec', async () => {
  await begin();
  return {
    driver: wrapped(await open(), 60_000, [password]),
    hostKeyOf: () => Promise.resolve(rawPublicKeyOf(hostKey.privateKey)),
    end: cleanUp,
    fault: setFault,
    reopen: () => open(),
    secrets: [password],
  };
});

describe('a driver program', { timeout: 60_000 }, () => {
  beforeEach(begin);
  afterEach(cleanUp);
  const message = async (call: Promise<unknown>): Promise<string> => (await errorOf(call)).message;

  it('is replaced when it ends; the call that was under way says how, without secrets', async () => {
    const driver = wrapped(await open({ processes: 1 }), 60_000, [password]);
    await setFault('crash');
    const error = await errorOf(driver.create(spec({ imageId: password }), options), [password]);
    expect([error.code, error.message]).toEqual([
      'unavailable',
      expect.stringContaining('ended with status 3: crashed with'),
    ]);
    expect(warnings.join('\n')).toContain('crashed with');
    expect(warnings.join('\n')).not.toContain(secret);
    expect(warnings.join('\n')).not.toContain(password);
    await setFault('');
    expect(await driver.list({}, options)).toEqual([]);
    expect(await pids()).toHaveLength(2);
  });

  it.each([
    ['say no JSON', '"no JSON" is no reply'],
    ['say {"id":77,"result":{}}', 'answered request 77 instead of'],
    ['say {"result":{}}', 'is no reply'],
    ['say []', 'is no reply'],
  ])('is replaced when it does not keep to the protocol: %s', async (fault, said) => {
    const driver = wrapped(await open({ processes: 1 }));
    await setFault(fault);
    expect(await message(driver.list({}, options))).toContain(said);
    const [first] = await pids();
    await expect.poll(() => isAlive(first!)).toBe(false);
    await setFault('');
    expect(await driver.list({}, options)).toEqual([]);
  });

  it.each<[object, string]>([
    [{ id: '' }, 'id: '],
    [{ tags: { a: 1 } }, 'tags.a: '],
    [{ type: null }, 'type: '],
    [{ prices: [{ at: 'yesterday', price: 1 }] }, 'prices.0.at: '],
  ])('is told what is wrong with an instance: %j', async (extra, said) => {
    const driver = wrapped(await open());
    await writeFile(join(cloud, 'extra.json'), JSON.stringify(extra));
    expect(await message(driver.create(spec(), options))).toContain(
      `reply to create is not as it should be: ${said}`,
    );
  });

  it('is ended with all it started when a call is given up, and nobody else waits for it', async () => {
    const shell =
      'read line; echo \'{"id":1,"result":{"protocol":1}}\'; read line; sleep 1000 & echo $! >child; wait';
    const driver = wrapped(await open({ command: ['sh', '-c', shell], processes: 2 }));
    const controller = new AbortController();
    const call = errorOf(driver.list({}, { signal: controller.signal }));
    await expect.poll(() => readFile(join(cloud, 'child'), 'utf8').catch(() => '')).toMatch(/\d\n/);
    const child = Number(await readFile(join(cloud, 'child'), 'utf8'));
    expect(isAlive(child)).toBe(true);
    controller.abort();
    expect((await call).code).toBe('aborted');
    await expect.poll(() => isAlive(child)).toBe(false);
  });

  it('works at as many requests at once as there may be processes', async () => {
    const driver = wrapped(await open({ processes: 3 }));
    await Promise.all(Array.from({ length: 12 }, () => driver.list({}, options)));
    expect(await pids()).toHaveLength(3);
    await driver.stop();
    for (const pid of await pids()) expect(isAlive(pid)).toBe(false);
    expect((await errorOf(driver.list({}, options))).message).toContain('stopped');
  });

  it('sees nothing of the daemon’s environment but what every program needs', async () => {
    const command = [
      'sh',
      '-c',
      'env >seen; read line; echo \'{"id":1,"result":{"protocol":1}}\'; read line',
    ];
    process.env['LONGSHORE_SECRET_OF_TEST'] = 'x';
    try {
      await open({ command, env: { ONE: '1' } });
    } finally {
      delete process.env['LONGSHORE_SECRET_OF_TEST'];
    }
    const seen = await readFile(join(cloud, 'seen'), 'utf8');
    expect(seen).toContain('ONE=1');
    expect(seen).not.toContain('LONGSHORE');
  });

  it('tells prices, quota groups, users and names', async () => {
    const driver = wrapped(await open({}, { protocol: 1, quotaGroups: { 'provider.small': 'general' } }));
    const prices = [
      { at: '2026-01-01T00:00:00Z', price: 0.1 },
      { at: '2026-01-02T00:00:00+01:00', price: 0.2 },
    ];
    await writeFile(
      join(cloud, 'extra.json'),
      JSON.stringify({ prices, user: 'me', name: 'n', address: null }),
    );
    const instance = await driver.create(spec(), options);
    expect(instance).toMatchObject({ remoteUser: 'me', displayName: 'n', address: '' });
    expect(driver.priceHistory(instance, type('small')).map(({ price }) => price)).toEqual([0.2, 0.1]);
    expect(driver.quotaGroup(type('small'))).toBe('general');
    expect(driver.quotaGroup(type('small', { preemptible: true }))).toBe('general-preemptible');
    expect(driver.quotaGroup(type('large'))).toBe('');
  });

  it.each<[object, object, string]>([
    [{ command: [] }, {}, 'driverParameters.command'],
    [{ comand: ['x'] }, {}, 'comand'],
    [{ processes: 0 }, {}, 'driverParameters.processes'],
    [{ command: ['./nowhere'] }, {}, 'cannot be started (ENOENT)'],
    [{}, { protocol: 2 }, 'version 2 of the protocol, not 1'],
    [{}, {}, 'reply to hello is not as it should be: protocol'],
    [{ command: ['sh', '-c', 'echo oops >&2; exit 4'] }, {}, 'ended with status 4: oops'],
  ])('is refused at the start: %j %j', async (change, hello, said) => {
    const error = await open(change, hello).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DriverError);
    expect((error as DriverError).message).toContain(said);
  });
});
