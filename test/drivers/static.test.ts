import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { storedDriverRecord } from '../../src/daemon/driver-record.js';
import { systemClock } from '../../src/domain/clock.js';
import { singleQuote } from '../../src/domain/shell-quote.js';
import { runInShell } from '../../src/drivers/loopback/shell.js';
import { DriverError, type Driver } from '../../src/drivers/driver.js';
import { openDriver } from '../../src/drivers/registry.js';
import { openDatabase } from '../../src/queue/store/database.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { startSshServer } from '../../src/ssh/server.js';
import { buildStartDocument } from '../../src/runner/start-document.js';
import { managementToken, startInProcess } from '../support/in-process.js';
import {
  describeDriverContract,
  errorOf,
  loginKey,
  never,
  options,
  spec,
  type,
  wrapped,
} from './contract.js';
import { executorsWith, isAlive, login, presentedKey } from './login.js';

const closers: (() => Promise<unknown>)[] = [];
const cleanUp = async (): Promise<void> => {
  for (const close of closers.splice(0).reverse()) await close();
};
afterEach(cleanUp);

const hostKey = generateKeyPair();
const publicText = hostKey.publicKey.trim().split(' ').slice(0, 2).join(' ');

interface HostFields {
  address: string;
  type?: string;
  name?: string;
  user?: string;
  hostKey?: string | string[];
}

/** Of hosts that need not be there. */
const inventory = (...hosts: HostFields[]): object => ({ releaseCommand: '', ...reachable(...hosts) });

const reachable = (...hosts: HostFields[]): object => ({
  hosts: hosts.map((host) => ({ type: 'provider.small', hostKey: publicText, ...host })),
});

async function folder(): Promise<string> {
  const stateDir = await mkdtemp(join(tmpdir(), 'longshore-static-'));
  closers.push(() => rm(stateDir, { recursive: true, force: true }));
  return stateDir;
}

/** Ahead of the system's clock. */
let aheadMs = 0;
const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };

const open = async (parameters: unknown, stateDir: string): Promise<Driver> => {
  const db = await openDatabase({ url: join(stateDir, 'longshore.db') });
  closers.push(() => db.destroy());
  return openDriver('static', {
    parameters,
    record: storedDriverRecord(db, 'static'),
    instanceSetId: 'zzzzz-gj3su-abc',
    stateDir,
    clock,
    random: Math.random,
    executors: executorsWith(loginKey.privateKey),
  });
};

/** A host that is there anyway: an SSH server with a shell. */
async function startHost(authorizedKey: string, env: Record<string, string> = {}): Promise<string> {
  const server = await startSshServer({
    host: '127.0.0.1',
    port: 0,
    hostKey: hostKey.privateKey,
    authorizedKeys: [authorizedKey],
    run: (request) => runInShell(request, env),
  });
  closers.push(() => server.close());
  return `127.0.0.1:${server.port}`;
}

const none = 'no provider stands behind it';
describeDriverContract(
  'static',
  async () => {
    const stateDir = await folder();
    const env = { LONGSHORE_LOCK_DIR: stateDir };
    const hosts = [await startHost(loginKey.publicKey, env), await startHost(loginKey.publicKey, env)];
    const reopen = () => open(reachable(...hosts.map((address) => ({ address }))), stateDir);
    return { driver: await reopen(), hostKeyOf: presentedKey, end: cleanUp, reopen };
  },
  { 'rate-limited': none, capacity: none, auth: none, unavailable: none, silent: none },
);

describe('the static driver', () => {
  const three = inventory(
    { address: 'a', user: 'admin' },
    { address: 'b:2222', name: 'rack 1/b' },
    { address: 'c', type: 'provider.large' },
  );
  const small = () => spec();
  const large = () => spec({ instanceType: type('large') });

  it('gives each instance a host of its type, with its address and user', async () => {
    const driver = wrapped(await open(three, await folder()));
    const made = [await driver.create(small(), options), await driver.create(small(), options)];
    expect(made).toMatchObject([
      { id: 'static-1-a', address: 'a', remoteUser: 'admin', providerType: 'provider.small' },
      { id: 'static-2-rack-1-b', address: 'b:2222', remoteUser: 'root' },
    ]);
    expect(await driver.create(large(), options)).toMatchObject({ address: 'c' });
  });

  it('says capacity while hosts of another type are free, quota when none is', async () => {
    const driver = wrapped(await open(three, await folder()));
    await driver.create(small(), options);
    await driver.create(small(), options);
    expect(await errorOf(driver.create(small(), options))).toMatchObject({ code: 'capacity', scope: 'type' });
    await driver.create(large(), options);
    expect(await errorOf(driver.create(small(), options))).toMatchObject({ code: 'quota' });
  });

  it('refuses a type that no host has, and names those there are', async () => {
    const driver = wrapped(await open(three, await folder()));
    const error = await errorOf(driver.create(spec({ instanceType: type('huge') }), options));
    expect([error.code, error.remedy]).toEqual(['invalid', expect.stringContaining('provider.large')]);
  });

  it('assigns the host that has rested longest, under a new id', async () => {
    const stateDir = await folder();
    const driver = wrapped(await open(three, stateDir));
    const first = await driver.create(small(), options);
    await driver.destroy(first.id, options);
    const second = await driver.create(small(), options);
    await driver.destroy(second.id, options);
    const third = await wrapped(await open(three, stateDir)).create(small(), options);
    expect([first.address, second.address, third.address]).toEqual(['a', 'b:2222', 'a']);
    expect(new Set([first.id, second.id, third.id]).size).toBe(3);
  });

  it('keeps a host in use that left the inventory, and does not assign it again', async () => {
    const stateDir = await folder();
    const before = wrapped(await open(three, stateDir));
    const { id } = await before.create(small(), options);
    const after = wrapped(await open(inventory({ address: 'b:2222' }), stateDir));
    const [left] = await after.list({}, options);
    expect(left).toMatchObject({ id, address: 'a', remoteUser: 'admin' });
    const genuine = Buffer.from(publicText.split(' ')[1]!, 'base64');
    expect(await after.verifyHostKey(left!, genuine, options)).toBe(true);
    await after.destroy(id, options);
    expect(await after.create(small(), options)).toMatchObject({ address: 'b:2222' });
    expect((await errorOf(after.create(small(), options))).code).toBe('quota');
  });

  it('takes the line that ssh-keyscan prints, and several keys', async () => {
    const other = generateKeyPair().publicKey;
    const keys = [other, `host.example ${publicText}`];
    const driver = wrapped(await open(inventory({ address: 'a', hostKey: keys }), await folder()));
    const instance = await driver.create(small(), options);
    const genuine = Buffer.from(publicText.split(' ')[1]!, 'base64');
    expect(await driver.verifyHostKey(instance, genuine, options)).toBe(true);
    expect(await driver.verifyHostKey(instance, Buffer.from('another'), options)).toBe(false);
  });

  it.each<[unknown, string]>([
    [{}, 'driverParameters.hosts'],
    [{ hosts: [] }, 'give at least one host'],
    [{ hosts: [{ address: 'a', type: 't' }] }, 'ssh-keyscan'],
    [{ hosts: [{ address: 'a', type: 't', hostKey: 'ssh-ed25519 nonsense' }] }, 'hosts.0.hostKey'],
    [{ hosts: [{ address: 'a b', type: 't', hostKey: publicText }] }, 'hosts.0.address'],
    [inventory({ address: 'a' }, { address: 'a' }), 'a is there twice'],
    [{ hosts: [{ address: 'a', type: 't', hostKey: publicText, usr: 'x' }] }, 'usr'],
  ])('refuses %j', async (parameters, said) => {
    const error = await open(parameters, await folder()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DriverError);
    expect([(error as DriverError).code, (error as DriverError).message]).toEqual([
      'invalid',
      expect.stringContaining(said),
    ]);
  });
});

const startDocument = (command: string[]): string =>
  buildStartDocument({
    env: {},
    keepBuffers: 0,
    cluster: null,
    spotNotices: undefined,
    work: { command, env: {}, image: '', cwd: '', vcpus: 1, ramBytes: 1, maxRunTimeMs: 0 },
    logLimitBytes: 1_000,
  });

describe('a host that is released', () => {
  const uuid = 'zzzzz-dz642-000000000000001';
  const program = fileURLToPath(new URL('../../src/runner/longshore-runner.sh', import.meta.url));
  const runner = singleQuote(program);

  async function world(parameters: object = {}) {
    const stateDir = await folder();
    const env = { LONGSHORE_LOCK_DIR: join(stateDir, 'lock'), LONGSHORE_STATE_DIR: join(stateDir, 'state') };
    const address = await startHost(loginKey.publicKey, env);
    const given = { ...reachable({ address }), ...parameters };
    const driver = wrapped(await open(given, stateDir));
    const instance = await driver.create(spec(), options);
    const executor = login(instance);
    closers.push(() => executor.close());
    const run = async (command: string, stdin = ''): Promise<string> =>
      (await executor.run(command, { timeoutMs: 20_000, signal: never, stdin })).stdout;
    return { driver, instance, run, stateDir, env };
  }

  it(
    'has its containers ended first, and the mark of a broken host taken away',
    { timeout: 60_000 },
    async () => {
      const { driver, instance, run, env } = await world();
      const pidFile = join(env.LONGSHORE_STATE_DIR, 'pid');
      const command = ['sh', '-c', `echo $$ >${pidFile}; while :; do sleep 0.1; done`];
      await run(`sh ${runner} --detach --stdin-config ${uuid}`, startDocument(command));
      await expect.poll(() => readFile(pidFile, 'utf8').catch(() => '')).toMatch(/\d\n/);
      const pid = Number(await readFile(pidFile, 'utf8'));
      await run('touch $LONGSHORE_LOCK_DIR/crunch-run-broken');
      expect(await run(`sh ${runner} --list`)).toContain(uuid);
      expect(isAlive(pid)).toBe(true);
      await driver.destroy(instance.id, options);
      expect(isAlive(pid)).toBe(false);
      expect(await driver.list({}, options)).toEqual([]);
      expect(await run(`sh ${runner} --list`)).not.toContain('broken');
    },
  );

  it('stays in use while the release command fails, which says why', async () => {
    const { driver, instance, run } = await world({
      releaseCommand: 'test -e $LONGSHORE_STATE_DIR/ok || { echo "still busy" >&2; exit 3; }',
    });
    const error = await errorOf(driver.destroy(instance.id, options));
    expect([error.code, error.message]).toEqual(['unavailable', expect.stringContaining('still busy')]);
    expect(await driver.list({}, options)).toHaveLength(1);
    aheadMs += 10_000;
    await run('mkdir -p $LONGSHORE_STATE_DIR; touch $LONGSHORE_STATE_DIR/ok');
    await driver.destroy(instance.id, options);
    expect(await driver.list({}, options)).toEqual([]);
  });

  const busy =
    'test -e $LONGSHORE_STATE_DIR/ok || { echo x >>$LONGSHORE_STATE_DIR/tries; echo "still busy" >&2; exit 3; }';

  it('is tried again after growing pauses, then quarantined with the reason, and tried no more', async () => {
    const { driver, instance, run, stateDir } = await world({ releaseCommand: busy, releaseTries: 3 });
    await run('mkdir -p $LONGSHORE_STATE_DIR');
    const tries = async (): Promise<number> =>
      (await run('cat $LONGSHORE_STATE_DIR/tries')).split('x').length - 1;
    const destroy = (): Promise<DriverError> => errorOf(driver.destroy(instance.id, options));
    expect((await destroy()).message).toContain('still busy');
    expect((await destroy()).message).toContain('failed once and is tried again in 10 s');
    expect(await tries()).toBe(1);
    aheadMs += 10_000;
    await destroy();
    aheadMs += 19_000;
    expect((await destroy()).message).toContain('failed 2 times and is tried again in 1 s');
    expect(await tries()).toBe(2);
    expect((await driver.list({}, options))[0]!.quarantine).toBeUndefined();
    aheadMs += 1_000;
    await destroy();
    const because = expect.stringMatching(/^its release failed 3 times: .*still busy/) as string;
    expect((await driver.list({}, options))[0]).toMatchObject({
      quarantine: { at: expect.any(Number) as number, because },
    });
    aheadMs += 86_400_000;
    await driver.destroy(instance.id, options);
    expect(await tries()).toBe(3);
    expect(await errorOf(driver.create(spec(), options))).toMatchObject({ code: 'quota' });
    const [after] = await wrapped(
      await open({ ...reachable({ address: instance.address }), releaseCommand: busy }, stateDir),
    ).list({}, options);
    expect(after!.quarantine?.because).toEqual(because);
  });

  it('leaves quarantine when an operator clears it: by a release that succeeds, or by force', async () => {
    const { driver, instance, run } = await world({ releaseCommand: busy, releaseTries: 1 });
    await run('mkdir -p $LONGSHORE_STATE_DIR');
    const clear = (id: string, force: boolean): Promise<boolean> =>
      driver.clearQuarantine!(id, { ...options, force });
    expect(await clear(instance.id, true)).toBe(false);
    await errorOf(driver.destroy(instance.id, options));
    expect((await errorOf(clear(instance.id, false))).message).toContain('still busy');
    expect(await clear(instance.id, true)).toBe(true);
    expect(await driver.list({}, options)).toEqual([]);
    const second = await driver.create(spec(), options);
    await errorOf(driver.destroy(second.id, options));
    await run('touch $LONGSHORE_STATE_DIR/ok');
    expect(await clear(second.id, false)).toBe(true);
    expect(await driver.list({}, options)).toEqual([]);
  });

  it('stays in use while it cannot be logged in to, until it leaves the inventory', async () => {
    const { driver, instance, stateDir } = await world();
    await driver.stop();
    const gone = { address: instance.address, hostKey: generateKeyPair().publicKey };
    const cut = wrapped(await open(reachable(gone), stateDir));
    expect(await errorOf(cut.destroy(instance.id, options))).toMatchObject({
      code: 'unavailable',
      remedy: expect.stringContaining('driverParameters.hosts') as string,
    });
    const without = wrapped(await open(reachable({ address: '127.0.0.1:1' }), stateDir));
    await without.destroy(instance.id, options);
    expect(await without.list({}, options)).toEqual([]);
  });
});

it('runs containers on hosts that are there anyway, and releases them', { timeout: 120_000 }, async () => {
  const patient = { timeout: 90_000, interval: 50 };
  const key = generateKeyPair();
  const scratch = await folder();
  const addresses = await Promise.all(
    ['one', 'two'].map((name) =>
      startHost(key.publicKey, {
        LONGSHORE_LOCK_DIR: join(scratch, name, 'lock'),
        LONGSHORE_STATE_DIR: join(scratch, name, 'state'),
      }),
    ),
  );
  const hosts = addresses.map((address) => ({ address, type: 'bench', hostKey: publicText }));
  const app = await startInProcess(`managementToken: ${managementToken}
dispatchPrivateKey: ${JSON.stringify(key.privateKey)}
driver: static
driverParameters: ${JSON.stringify({ hosts })}
instanceTypes: { small: { providerType: bench, vcpus: 1, ram: 1GiB, includedScratch: 1GiB, price: 0 } }
pool: { bootProbeCommand: 'true', timeoutIdle: 1s, maxConcurrentCreates: 2, syncInterval: 1s }`);
  try {
    const containers = Array.from({ length: 4 }, () => ({ command: ['sh', '-c', 'sleep 0.3'], vcpus: 1 }));
    await app.ask('/v1/containers', { body: { containers } });
    const states = async (): Promise<unknown> => {
      const { items } = (await app.ask('/v1/containers')).json as { items: Record<string, unknown>[] };
      return items.map(({ state, exitCode }) => `${String(state)} ${String(exitCode)}`);
    };
    await expect.poll(states, patient).toEqual(Array<string>(4).fill('Complete 0'));
    await expect.poll(() => app.daemon.pool.instances(), patient).toEqual([]);
    const addressesOnce = new Set(addresses);
    await app.daemon.stop();
    const db = await openDatabase({ url: join(app.folder, 'state', 'longshore.db') });
    const { text } = await db.selectFrom('driver_records').select('text').executeTakeFirstOrThrow();
    await db.destroy();
    const record = JSON.parse(text) as { assigned: unknown[]; released: string[] };
    expect([record.assigned, new Set(record.released)]).toEqual([[], addressesOnce]);
  } finally {
    await app.stop();
  }
});

it(
  'shows a quarantine in instances, explain, metrics and journal, and clears it by order',
  { timeout: 90_000 },
  async () => {
    const patient = { timeout: 60_000, interval: 50 };
    const key = generateKeyPair();
    const scratch = await folder();
    const address = await startHost(key.publicKey, {
      LONGSHORE_LOCK_DIR: join(scratch, 'lock'),
      LONGSHORE_STATE_DIR: join(scratch, 'state'),
    });
    const parameters = {
      hosts: [{ address, type: 'bench', hostKey: publicText }],
      releaseTries: 1,
      releaseCommand: `test -e ${join(scratch, 'ok')} || { echo "still busy" >&2; exit 3; }`,
    };
    const app = await startInProcess(`managementToken: ${managementToken}
dispatchPrivateKey: ${JSON.stringify(key.privateKey)}
driver: static
driverParameters: ${JSON.stringify(parameters)}
instanceTypes: { small: { providerType: bench, vcpus: 1, ram: 1GiB, includedScratch: 1GiB, price: 0 } }
pool: { bootProbeCommand: 'true', timeoutIdle: 1s, timeoutShutdown: 1s, syncInterval: 1s }`);
    try {
      const submit = () => app.ask('/v1/containers', { body: { containers: [{ command: ['true'] }] } });
      await submit();
      const instances = async (): Promise<Record<string, unknown>[]> =>
        ((await app.ask('/v1/instances')).json as { items: Record<string, unknown>[] }).items;
      const because = expect.stringContaining('still busy') as string;
      const inside = expect.objectContaining({
        state: 'shutdown',
        quarantine: { since: expect.any(String) as string, because },
      }) as unknown;
      await expect.poll(instances, patient).toEqual([inside]);
      const id = String((await instances())[0]!['instance']);
      expect((await app.ask(`/v1/explain/${id}`)).text).toContain(`longshore quarantine clear ${id}`);
      expect((await app.ask('/metrics')).text).toContain('longshore_instances_quarantined 1');
      const journal = async (): Promise<unknown> =>
        (await app.ask('/v1/journal?kind=instance.quarantined')).json;
      await expect.poll(journal, patient).toMatchObject({ items: [{ instance: id, because }] });
      const clear = (body: object, of = id) => app.ask(`/v1/instances/${of}/clear-quarantine`, { body });
      expect((await clear({}, 'static-9-none')).status).toBe(404);
      const refused = await clear({});
      expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('still busy')]);
      // Nothing else is given to it meanwhile.
      await submit();
      expect((await instances()).map(({ instance }) => instance)).toEqual([id]);
      expect((await clear({ force: true, reason: 'looked' })).status).toBe(200);
      const done = async (): Promise<unknown> => {
        const { items } = (await app.ask('/v1/containers')).json as { items: { state: string }[] };
        return items.map(({ state }) => state);
      };
      await expect.poll(done, patient).toEqual(['Complete', 'Complete']);
    } finally {
      await app.stop();
    }
  },
);
