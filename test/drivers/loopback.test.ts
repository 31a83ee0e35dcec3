import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loopbackInstanceType } from '../../src/config/implied-types.js';
import { singleQuote } from '../../src/domain/shell-quote.js';
import { systemClock } from '../../src/domain/clock.js';
import type { Instance } from '../../src/domain/instance.js';
import type { Driver } from '../../src/drivers/driver.js';
import { openDriver } from '../../src/drivers/registry.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { type ExecutorError, type Executor } from '../../src/ssh/executor.js';
import { HeapClock, settle } from '../../src/simulation/heap-clock.js';
import { describeDriverContract, errorOf, never, options, spec, type, wrapped } from './contract.js';
import { isAlive, login, presentedKey } from './login.js';

const within = { timeoutMs: 10_000, signal: never };
let stateDir: string;
const opened: Driver[] = [];
const executors: Executor[] = [];

async function open(parameters: unknown = {}, instanceSetId = 'zzzzz-gj3su-abc', clock = systemClock) {
  const context = { parameters, instanceSetId, stateDir, clock, random: Math.random };
  const driver = await openDriver('loopback', context);
  opened.push(driver);
  return wrapped(driver);
}

async function cleanUp(): Promise<void> {
  for (const executor of executors.splice(0)) await executor.close();
  for (const driver of opened.splice(0)) {
    for (const { id } of await driver.list({}, options)) await driver.destroy(id, options);
    await driver.stop();
  }
  await rm(stateDir, { recursive: true, force: true, maxRetries: 5 });
}

function shellOn(instance: Instance): (command: string) => Promise<string> {
  const executor = login(instance);
  executors.push(executor);
  return async (command) => (await executor.run(command, within)).stdout;
}

const none = 'no provider stands behind it';
const withoutProvider = { 'rate-limited': none, capacity: none, auth: none, unavailable: none, silent: none };

describeDriverContract(
  'loopback',
  async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'longshore-loopback-'));
    const raw = async () => (await open({ maxInstances: 2 }), opened.at(-1)!);
    return { driver: await raw(), hostKeyOf: presentedKey, end: cleanUp, reopen: raw };
  },
  withoutProvider,
);

describe('loopback', () => {
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'longshore-loopback-'));
  });
  afterEach(cleanUp);

  it('runs commands as the reference does (DT-36, T-81, D-1..D-7)', async () => {
    const driver = await open({ maxInstances: 1 });
    const localhost = () => spec({ instanceType: loopbackInstanceType() });
    const instance = await driver.create(localhost(), options);
    expect((await errorOf(driver.create(localhost(), options))).code).toBe('quota');
    expect(await driver.list({}, options)).toMatchObject([{ providerType: 'localhost' }]);
    const shell = shellOn(instance);
    expect(await shell('echo ok')).toBe('ok\n');
    await expect(shell('echo fail && echo -n fail2 >&2 && false')).rejects.toMatchObject({
      code: 'exit',
      exitCode: 1,
      stdout: 'fail\n',
      stderr: 'fail2',
    });
    expect(await shell('sudo whoami')).toBe(await shell('whoami'));
    expect(await shell('whoami')).toBe(`${userInfo().username}\n`);
    const stranger = login(instance, generateKeyPair().privateKey);
    executors.push(stranger);
    await expect(stranger.run('true', within)).rejects.toMatchObject({ code: 'auth' });
    await driver.destroy(instance.id, options);
    expect(await driver.list({}, options)).toEqual([]);
    await driver.create(localhost(), options);
  });

  it('implies one type, the host itself, when none is configured (T-82, D-2)', () => {
    const { name, providerType, vcpus, ramBytes, price } = loopbackInstanceType();
    expect({ name, providerType, price }).toEqual({ name: 'localhost', providerType: 'localhost', price: 1 });
    expect(vcpus).toBeGreaterThan(0);
    expect(ramBytes).toBeGreaterThan(0);
  });

  it('hands on the exit status and makes 1 of a signal (D-6)', async () => {
    const shell = shellOn(await (await open()).create(spec(), options));
    await expect(shell('exit 7')).rejects.toMatchObject({ exitCode: 7 });
    await expect(shell('kill -9 $$')).rejects.toMatchObject({ exitCode: 1 });
  });

  it('keeps the broken flag of one instance from another (D-10)', async () => {
    const driver = await open();
    const shells = [];
    for (let n = 0; n < 2; n++) shells.push(shellOn(await driver.create(spec(), options)));
    const [one, other] = await Promise.all(shells.map((shell) => shell('echo $LONGSHORE_LOCK_DIR')));
    expect(one).not.toBe(other);
    expect(one).toContain(stateDir);
  });

  it('ends what runs on an instance that is destroyed, in any session, and nothing else', async () => {
    const driver = await open();
    const [doomed, kept] = [await driver.create(spec(), options), await driver.create(spec(), options)];
    const start = 'setsid sleep 300 </dev/null >/dev/null 2>&1 & echo $!';
    const pid = Number(await shellOn(doomed)(start));
    const other = Number(await shellOn(kept)(start));
    expect([isAlive(pid), isAlive(other)]).toEqual([true, true]);
    await driver.destroy(doomed.id, options);
    await expect.poll(() => isAlive(pid)).toBe(false);
    expect(isAlive(other)).toBe(true);
    expect(existsSync(join(stateDir, 'loopback', 'zzzzz-gj3su-abc', doomed.id))).toBe(false);
  });

  it('ends processes that cleared their environment: descendants, and those in the control group of a container', async () => {
    const driver = await open();
    const doomed = await driver.create(spec(), options);
    const shell = shellOn(doomed);
    const folder = (await shell('echo $LONGSHORE_STATE_DIR')).trim();
    const parent = `(setsid env -i /bin/sleep 300 & echo $!; exec sleep 300) </dev/null 2>&1`;
    await shell(`setsid sh -c ${singleQuote(parent)} >${folder}/child 2>&1 & echo begun`);
    await expect.poll(() => readFile(join(folder, 'child'), 'utf8')).toMatch(/\d/);
    const child = Number(await readFile(join(folder, 'child'), 'utf8'));
    const orphan = Number(
      await shell('setsid --fork env -i /bin/sh -c "echo \\$\\$; exec sleep 300 >/dev/null 2>&1"'),
    );
    const group = join(folder, 'longshore-u1.7');
    await mkdir(join(folder, 'c/u1'), { recursive: true });
    await mkdir(group);
    await writeFile(join(folder, 'c/u1/cgroup'), `${group}\n`);
    await writeFile(join(group, 'cgroup.procs'), `${orphan}\n`);
    expect([isAlive(child), isAlive(orphan)]).toEqual([true, true]);
    await driver.destroy(doomed.id, options);
    await expect.poll(() => [isAlive(child), isAlive(orphan)]).toEqual([false, false]);
  });

  it('ends processes that keep beginning others (D-7)', async () => {
    const driver = await open();
    const doomed = await driver.create(spec(), options);
    const shell = shellOn(doomed);
    const folder = (await shell('echo $LONGSHORE_STATE_DIR')).trim();
    await writeFile(join(folder, 'again'), 'echo $$ >>"$0.pids"; sleep 0.01; exec setsid --fork sh "$0"\n');
    await shell(`setsid --fork sh ${folder}/again </dev/null >/dev/null 2>&1; echo begun`);
    const pidsOf = () => readFile(join(folder, 'again.pids'), 'utf8').catch(() => '');
    await expect.poll(async () => (await pidsOf()).split('\n').length).toBeGreaterThan(3);
    await driver.destroy(doomed.id, options);
    const mark = `LONGSHORE_STATE_DIR=${folder}`;
    const left = (await readdir('/proc')).filter((name) => {
      try {
        return /^\d+$/.test(name) && readFileSync(`/proc/${name}/environ`, 'latin1').includes(mark);
      } catch {
        return false;
      }
    });
    expect(left).toEqual([]);
  });

  it('ends a command whose channel was closed', async () => {
    const instance = await (await open()).create(spec(), options);
    const shell = shellOn(instance);
    const folder = (await shell('echo $LONGSHORE_STATE_DIR')).trim();
    const controller = new AbortController();
    const executor = login(instance);
    executors.push(executor);
    const call = executor.run(`echo $$ >${folder}/pid; sleep 300`, {
      timeoutMs: 9_000,
      signal: controller.signal,
    });
    const ended = call.catch((error: ExecutorError) => error.code);
    const pidIn = () => readFile(join(folder, 'pid'), 'utf8').catch(() => '');
    await expect.poll(pidIn).toMatch(/\d\n/);
    const pid = Number(await pidIn());
    controller.abort();
    expect(await ended).toBe('aborted');
    await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
  });

  it('is found again by the next daemon, with its tags, its host key and what runs on it', async () => {
    const first = await open();
    const made = await first.create(spec({ tags: { a: '1' } }), options);
    await first.setTags(made.id, { a: '2' }, options);
    const key = await presentedKey(made);
    const pid = Number(await shellOn(made)('setsid sleep 300 </dev/null >/dev/null 2>&1 & echo $!'));
    await first.stop();
    opened.length = 0;
    const second = await open();
    await expect.poll(async () => (await second.list({}, options))[0]?.address).toMatch(/:\d+$/);
    const [found] = await second.list({}, options);
    expect(found).toMatchObject({ id: made.id, tags: { a: '2' } });
    expect(await presentedKey(found!)).toEqual(key);
    expect(isAlive(pid)).toBe(true);
    expect(await shellOn(found!)(`kill -0 ${pid} && echo there`)).toBe('there\n');
    await second.destroy(made.id, options);
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it('keeps two instance sets apart on one host (DI-3)', async () => {
    const [one, other] = [await open({}, 'set-one'), await open({}, 'set-two')];
    await one.create(spec(), options);
    expect(await other.list({}, options)).toEqual([]);
    expect(await readdir(join(stateDir, 'loopback'))).toContain('set-one');
  });

  it('does not listen while it pretends to boot', async () => {
    const clock = new HeapClock(1_000_000);
    const driver = await open({ bootDelayMs: 5_000 }, 'set', clock);
    const { address } = await driver.create(spec(), options);
    expect(address).toBe('');
    await clock.advance(5_000);
    await settle();
    await expect.poll(async () => (await driver.list({}, options))[0]?.address).toMatch(/:\d+$/);
  });

  it('keeps its state to its owner, as it holds host keys', async () => {
    await (await open()).create(spec(), options);
    const file = join(stateDir, 'loopback', 'zzzzz-gj3su-abc', 'instances.json');
    expect((await stat(file)).mode & 0o077).toBe(0);
  });

  it('refuses a state file it cannot use, and leaves it as it is', async () => {
    await (await open()).create(spec(), options);
    const file = join(stateDir, 'loopback', 'zzzzz-gj3su-abc', 'instances.json');
    const good = await readFile(file, 'utf8');
    await writeFile(file, '{ half');
    expect((await errorOf(open())).code).toBe('invalid');
    expect(await readFile(file, 'utf8')).toBe('{ half');
    await writeFile(file, good);
  });

  it('goes on with the others when the folder of one cannot be used', async () => {
    const first = await open();
    const [bad, good] = [await first.create(spec(), options), await first.create(spec(), options)];
    await first.stop();
    opened.length = 0;
    const folder = join(stateDir, 'loopback', 'zzzzz-gj3su-abc', bad.id);
    await rm(folder, { recursive: true });
    await writeFile(folder, 'in the way');
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const second = await open();
    const address = async (id: string) =>
      (await second.list({}, options)).find((instance) => instance.id === id)?.address;
    await expect.poll(() => address(good.id)).toMatch(/:\d+$/);
    expect(await address(bad.id)).toBe('');
    expect((await warned).message).toContain(bad.id);
  });

  it('names the parameter that is wrong', async () => {
    const error = await errorOf(open({ maxInstances: 0 }));
    expect(error.code).toBe('invalid');
    expect(error.message).toContain('maxInstances');
  });

  it('refuses an instance nobody could log in to instead of breaking (K-33, DW-16)', async () => {
    const driver = await open();
    expect((await errorOf(driver.create(spec({ publicKey: undefined }), options))).code).toBe('invalid');
    expect(await driver.list({}, options)).toEqual([]);
  });

  it('leaves nothing behind of an instance whose key cannot be read', async () => {
    const driver = await open();
    await errorOf(driver.create(spec({ publicKey: 'no key' }), options));
    expect(await driver.list({}, options)).toEqual([]);
  });

  it('keeps the environment of the daemon from its containers', async () => {
    process.env['LONGSHORE_TEST_TOKEN'] = 'of the daemon';
    try {
      const shell = shellOn(await (await open()).create(spec(), options));
      expect(await shell('echo "$LONGSHORE_TEST_TOKEN"')).toBe('\n');
    } finally {
      delete process.env['LONGSHORE_TEST_TOKEN'];
    }
  });
});

describe('the registry', () => {
  it('refuses a driver nobody knows and names those it knows (L-44)', async () => {
    const context = {
      parameters: {},
      instanceSetId: 's',
      stateDir: '/',
      clock: systemClock,
      random: Math.random,
    };
    const error = await errorOf(openDriver('constructor', context));
    expect(error.code).toBe('invalid');
    expect(`${error.message} ${error.remedy}`).toMatch(/loopback.*simulated/);
  });

  it('has types that differ by name only in one quota group (DI-8)', async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'longshore-loopback-'));
    const driver = await open();
    expect(driver.quotaGroup(type('a'))).toBe(driver.quotaGroup(type('b')));
    await cleanUp();
  });
});
