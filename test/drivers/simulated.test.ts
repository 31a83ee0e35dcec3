import { afterEach, describe, expect, it } from 'vitest';
import { installCommand } from '../../src/actors/copy-runner.js';
import { startCommand } from '../../src/actors/start-container.js';
import { parseWatchLine } from '../../src/actors/watch.js';
import { systemClock } from '../../src/domain/clock.js';
import { DriverError, type Driver } from '../../src/drivers/driver.js';
import { faultlessVm, type CloudKnobs, type VmKnobs } from '../../src/drivers/simulated/knobs.js';
import { MemoryHost } from '../../src/drivers/simulated/memory-host.js';
import { openDriver } from '../../src/drivers/registry.js';
import { SimulatedCloud, type SimulatedCloudOptions } from '../../src/drivers/simulated/simulated-cloud.js';
import { SimulatedDriver } from '../../src/drivers/simulated/simulated-driver.js';
import { SshHost } from '../../src/drivers/simulated/ssh-host.js';
import { parseCollected } from '../../src/runner/collected-result.js';
import { HeapClock, settle } from '../../src/simulation/heap-clock.js';
import { createSimulatedExecutorFactory } from '../../src/simulation/simulated-executor.js';
import type { Executor, HostVerifier } from '../../src/ssh/executor.js';
import { describeDriverContract, errorOf, never, secret, spec, type } from './contract.js';
import { login, presentedKey } from './login.js';

const options = { signal: never };
const within = { timeoutMs: 60_000, signal: never };
const uuid = 'zzzzz-dz642-000000000000001';
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const fail = (id: string, error: unknown): never => {
  throw new Error(id, { cause: error });
};

/** Numbers in turn, the last for ever. */
const numbers =
  (...values: number[]) =>
  () =>
    values.length > 1 ? values.shift()! : values[0]!;

interface WorldOptions {
  cloud?: Partial<CloudKnobs>;
  vm?: Partial<VmKnobs>;
  random?: () => number;
  admit?: SimulatedCloudOptions['admit'];
  hasKnownHostKeys?: boolean;
}

function world({ cloud: knobs = {}, vm = {}, random = () => 0.5, ...rest }: WorldOptions = {}) {
  const clock = new HeapClock(1_000_000);
  const host = new MemoryHost({
    clock,
    random,
    hasKnownHostKeys: rest.hasKnownHostKeys ?? true,
    knobsOf: () => ({ ...faultlessVm, ...vm }),
    execute: () => ({ durationMs: 1_000, exitCode: 3, stdout: 'out', stderr: 'err' }),
  });
  const cloud = new SimulatedCloud({
    host,
    clock,
    random,
    knobs,
    onFault: fail,
    ...(rest.admit ? { admit: rest.admit } : {}),
  });
  const driver = new SimulatedDriver(cloud);
  closers.push(() => cloud.close());
  const ids = async () => (await driver.list({}, options)).map(({ id }) => id);
  return { clock, host, cloud, driver, ids };
}

describeDriverContract('simulated, in memory', () => {
  const { driver, cloud } = world({ cloud: { maxInstances: 2 } });
  const genuine = async (id: string) => Buffer.from(`host key of ${id}`);
  return Promise.resolve({ driver, hostKeyOf: ({ id }) => genuine(id), end: () => cloud.close() });
});

describeDriverContract('simulated, only the secret decides', () => {
  const { driver, cloud } = world({ cloud: { maxInstances: 2 }, hasKnownHostKeys: false });
  return Promise.resolve({ driver, hostKeyOf: () => Promise.resolve(undefined), end: () => cloud.close() });
});

const openOverSsh = (parameters: unknown): Promise<Driver> =>
  openDriver('simulated', {
    parameters,
    instanceSetId: 'set',
    stateDir: '/nowhere',
    clock: systemClock,
    random: () => 0.5,
  });

describeDriverContract('simulated, over SSH', async () => {
  const driver = await openOverSsh({ maxInstances: 2 });
  return { driver, hostKeyOf: presentedKey, end: () => driver.stop() };
});

describe('faults of the simulated cloud', () => {
  it('fail a share of creates and destroys, with nothing done (D-20)', async () => {
    const { driver, cloud, ids } = world({ cloud: { createErrorRate: 0.6 } });
    expect((await errorOf(driver.create(spec(), options))).code).toBe('unavailable');
    expect(await ids()).toEqual([]);
    cloud.knobs.createErrorRate = 0;
    cloud.knobs.destroyErrorRate = 0.6;
    const { id } = await driver.create(spec(), options);
    expect((await errorOf(driver.destroy(id, options))).code).toBe('unavailable');
    expect(await ids()).toEqual([id]);
  });

  it('refuse calls too soon with the end of the gap, which only an accepted call restarts (D-20)', async () => {
    const { driver, clock } = world({ cloud: { minTimeBetweenCreatesMs: 100, minTimeBetweenListsMs: 50 } });
    const startedAt = clock.now();
    await driver.create(spec(), options);
    await clock.advance(60);
    const early = await errorOf(driver.create(spec(), options));
    expect([early.code, early.retryAt]).toEqual(['rate-limited', startedAt + 100]);
    await driver.list({}, options);
    expect((await errorOf(driver.list({}, options))).retryAt).toBe(startedAt + 110);
    await clock.advance(40);
    await driver.create(spec(), options);
  });

  it('lack a type, its group or everything, as told (ER-4)', async () => {
    const { driver, cloud } = world();
    for (const scope of ['type', 'group', 'all'] as const) {
      cloud.noCapacity.set('provider.small', scope);
      const error = await errorOf(driver.create(spec(), options));
      expect([error.code, error.scope]).toEqual(['capacity', scope]);
    }
    await driver.create(spec({ instanceType: type('large') }), options);
  });

  it('include whatever the set-up hook throws (D-20)', async () => {
    const refusal = new DriverError('capacity', 'none', { scope: 'type' });
    const { driver } = world({
      admit: () => {
        throw refusal;
      },
    });
    expect(await errorOf(driver.create(spec(), options))).toBe(refusal);
  });

  it('lose the answer of a create that worked; the same wish again finds the instance', async () => {
    const { driver, cloud, ids } = world({ cloud: { lostReplyRate: 0.6 } });
    const wish = spec();
    expect((await errorOf(driver.create(wish, options))).code).toBe('unavailable');
    const [lost] = await ids();
    expect(lost).toBe('inst1,provider.small');
    cloud.knobs.lostReplyRate = 0;
    expect((await driver.create(wish, options)).id).toBe(lost);
  });

  it('answer late, when the list already shows the instance (K-11)', async () => {
    const { driver, clock, ids } = world({ cloud: { createDelayMs: 1_000 } });
    const creating = driver.create(spec(), options);
    await settle();
    expect(await ids()).toHaveLength(1);
    await clock.advance(1_000);
    await creating;
  });

  it('let lists lag behind: new, retagged and gone instances show later (D-23)', async () => {
    const { driver, clock, ids } = world({ cloud: { listLagMs: 100 } });
    const { id } = await driver.create(spec({ tags: { a: '1' } }), options);
    expect(await ids()).toEqual([]);
    await clock.advance(100);
    expect(await ids()).toEqual([id]);
    await driver.setTags(id, { a: '2' }, options);
    expect((await driver.list({}, options))[0]?.tags).toEqual({ a: '1' });
    await clock.advance(100);
    expect((await driver.list({}, options))[0]?.tags).toEqual({ a: '2' });
    await driver.destroy(id, options);
    await clock.advance(99);
    expect(await ids()).toEqual([id]);
    await clock.advance(1);
    expect(await ids()).toEqual([]);
  });

  it('hold creates and destroys until released, lists not (D-20)', async () => {
    const { driver, cloud, ids } = world();
    const release = cloud.holdOperations();
    const creating = driver.create(spec(), options);
    await settle();
    expect(await ids()).toEqual([]);
    release();
    await creating;
    expect(await ids()).toHaveLength(1);
  });

  it('interrupt a spot instance: notice first, end later (DW-20)', async () => {
    const { driver, cloud, clock, host, ids } = world({ cloud: { interruptionNoticeMs: 1_000 } });
    const spot = spec({ instanceType: type('small', { preemptible: true }) });
    const { id } = await driver.create(spot, options);
    await settle();
    const { address } = (await driver.list({}, options))[0]!;
    cloud.interrupt(id);
    const { stdout } = await host.at(address)!.vm.interpret('crunch-run --list', '');
    expect(stdout).toMatch(/^interruption \{"action":"terminate"/);
    await clock.advance(999);
    expect(await ids()).toEqual([id]);
    await clock.advance(1);
    expect(await ids()).toEqual([]);
  });

  it('give spot prices, newest first and alike on each look (DI-13)', async () => {
    const spot = type('small', { preemptible: true });
    const { driver, clock } = world({ random: numbers(0.1, 0.9, 0.2, 0.8) });
    const instance = await driver.create(spec({ instanceType: spot }), options);
    const before = driver.priceHistory(instance, spot);
    expect(driver.priceHistory(instance, spot)).toEqual(before);
    await clock.advance(3 * 3_600_000);
    const starts = driver.priceHistory(instance, spot).map(({ startAt }) => startAt);
    expect(starts).toHaveLength(4);
    expect(starts).toEqual([...starts].sort((a, b) => b - a));
    expect([driver.quotaGroup(spot), driver.quotaGroup(type('small'))]).toEqual(['p-p', 'p']);
  });

  it('outlive the driver that was stopped (DI-9)', async () => {
    const { driver, cloud } = world();
    const { id } = await driver.create(spec(), options);
    await driver.stop();
    expect((await errorOf(driver.list({}, options))).code).toBe('unavailable');
    expect(await new SimulatedDriver(cloud).list({}, options)).toMatchObject([{ id }]);
  });

  it('are refused by name when a parameter is wrong', async () => {
    const error = await errorOf(openOverSsh({ createErrorRate: 2, nonsense: 1 }));
    expect(error.code).toBe('invalid');
    expect(error.message).toContain('driverParameters.createErrorRate');
  });
});

const list = 'sudo crunch-run --list';
const start = startCommand('crunch-run', { runtimeEngine: 'docker', arguments: ['--x=y z'] }, uuid);

async function vmWorld(given: WorldOptions = {}) {
  const all = world(given);
  await all.driver.create(spec(), options);
  await settle();
  const [instance] = await all.driver.list({}, options);
  const { vm } = all.host.at(instance!.address)!;
  const run = (command: string, stdin: string | Uint8Array = '') => vm.interpret(command, stdin);
  return { ...all, vm, instance: instance!, run };
}

describe('a stub machine', () => {
  it('runs a container from start to collected result (D-25)', async () => {
    const { run, clock } = await vmWorld();
    expect((await run(start, 'no json')).exitCode).toBe(1);
    expect((await run(start, '{}')).exitCode).toBe(0);
    expect((await run(start, '{}')).exitCode).toBe(1);
    expect((await run(list)).stdout).toBe(`${uuid}\n`);
    expect((await run(`crunch-run --collect ${uuid}`)).exitCode).toBe(3);
    await clock.advance(1_000);
    expect((await run(list)).stdout).toBe(`${uuid} ended\n`);
    const { stdout } = await run(`crunch-run --collect ${uuid}`);
    expect(parseCollected(uuid, stdout)).toMatchObject({ exitCode: 3, stdout: 'out', stderr: 'err' });
    expect((await run(`crunch-run --discard ${uuid}`)).exitCode).toBe(0);
    expect((await run(list)).stdout).toBe('');
    expect((await run(`crunch-run --collect ${uuid}`)).exitCode).toBe(4);
  });

  it('says of a kill whether the container still lives (N-6)', async () => {
    const { run, clock } = await vmWorld({ vm: { killDelayMs: 50 } });
    await run(start, '{}');
    const kill = `crunch-run --kill 15 ${uuid}`;
    expect((await run(kill)).exitCode).toBe(1);
    await clock.advance(50);
    expect((await run(kill)).exitCode).toBe(0);
    const { stdout } = await run(`crunch-run --collect ${uuid}`);
    expect(parseCollected(uuid, stdout)).toMatchObject({ exitCode: 143, note: 'stopped on request' });
  });

  it('keeps a lock for a while, or for ever (D-21)', async () => {
    const lagging = await vmWorld({ vm: { lockLagMs: 1_000 } });
    await lagging.run(start, '{}');
    await lagging.clock.advance(1_000);
    expect((await lagging.run(list)).stdout).toBe(`${uuid} stale\n`);
    await lagging.clock.advance(500);
    expect((await lagging.run(list)).stdout).toBe(`${uuid} ended\n`);
    const stuck = await vmWorld({ vm: { deadlockRate: 1 } });
    await stuck.run(start, '{}');
    await stuck.clock.advance(1_000_000);
    expect((await stuck.run(list)).stdout).toBe(`${uuid} stale\n`);
  });

  it('loses a runner without a result (D-21)', async () => {
    const { run, clock } = await vmWorld({ vm: { crashRate: 1 } });
    await run(start, '{}');
    await clock.advance(1_000);
    const { stdout } = await run(`crunch-run --collect ${uuid}`);
    expect(parseCollected(uuid, stdout).note).toContain('without a result');
  });

  it('boots, breaks and reports that it is broken, each in its time (D-21)', async () => {
    const vm = { bootMs: 100, reportBrokenAfterMs: 200, brokenAfterMs: 300 };
    const { run, clock } = await vmWorld({ vm });
    expect((await run('true')).exitCode).toBe(1);
    await clock.advance(100);
    expect((await run('true')).exitCode).toBe(0);
    await clock.advance(100);
    expect((await run(list)).stdout).toBe('broken\n');
    await clock.advance(100);
    expect((await run(list)).exitCode).toBe(2);
  });

  it('lacks the runner program when told so (D-21)', async () => {
    const { run } = await vmWorld({ vm: { runnerMissing: true } });
    expect([(await run(list)).exitCode, (await run('true')).exitCode]).toEqual([1, 0]);
  });

  it('takes the runner program, whole, under any name (P-8, P-9)', async () => {
    const { run } = await vmWorld();
    const program = { content: Buffer.from('hello'), md5: '5d41402abc4b2a76b9719d911017c592' };
    for (const path of ["/opt/it's here/$x/crunch-run~1", '/opt/crunch-run~2']) {
      for (const user of ['root', 'crunch']) {
        const install = installCommand({ ...program, path }, user);
        expect((await run(install, Buffer.from('hell'))).exitCode).toBe(1);
        expect((await run(install, program.content)).exitCode).toBe(0);
        const word = path.includes(' ') ? `'${path.replaceAll("'", `'\\''`)}'` : path;
        expect((await run(`md5sum ${word}`)).stdout).toBe(`${program.md5}  ${path}\n`);
      }
    }
  });

  it('keeps the secret its init command brought (DT-43, DI-12)', async () => {
    const { run } = await vmWorld();
    expect((await run('cat /var/run/arvados-instance-secret')).stdout).toBe(secret);
  });

  it('says a word to a watcher now and then, and none to nobody', async () => {
    const { vm, clock } = await vmWorld();
    const lines: string[] = [];
    const watcher = { onLine: (line: string) => lines.push(line), onEnd: () => {} };
    const stop = vm.watch('crunch-run --watch', watcher);
    await clock.advance(30_000);
    expect(lines).toEqual(['attached', 'alive', 'alive']);
    stop();
    expect(clock.pending).toBe(0);
  });

  it('tells a watcher what is there and what happens (DW-20)', async () => {
    const { vm, run, clock } = await vmWorld();
    await run(start, '{}');
    const lines: string[] = [];
    const ends: number[] = [];
    const stop = vm.watch('crunch-run --watch', {
      onLine: (line) => lines.push(line),
      onEnd: (code) => ends.push(code),
    });
    await clock.advance(1_000);
    expect(lines).toEqual(['attached', `started ${uuid}`, `ended ${uuid}`]);
    expect(lines.every((line) => parseWatchLine(line, 'zzzzz'))).toBe(true);
    stop();
    vm.interrupt('soon');
    expect([lines.length, ends.length]).toEqual([3, 0]);
  });
});

describe('over SSH, a stub machine', () => {
  it('runs commands, follows a watch, and is gone after destroy (D-26)', async () => {
    const driver = await openOverSsh({ containerMs: 50 });
    closers.push(() => driver.stop());
    const { id } = await driver.create(spec(), options);
    await expect.poll(async () => (await driver.list({}, options))[0]?.address).toMatch(/:\d+$/);
    const [instance] = await driver.list({}, options);
    const executor = login(instance!);
    closers.push(() => executor.close());
    const { lines } = await executor.open('crunch-run --watch', options);
    const iterator = lines[Symbol.asyncIterator]();
    const next = async () => ((await iterator.next()) as { value: string }).value;
    expect(await next()).toBe('attached');
    await executor.run(start, { ...within, stdin: '{}' });
    expect([await next(), await next()]).toEqual([`started ${uuid}`, `ended ${uuid}`]);
    expect((await executor.run(list, within)).stdout).toBe(`${uuid} ended\n`);
    await driver.destroy(id, options);
    await expect.poll(async () => await driver.list({}, options)).toEqual([]);
    await expect(iterator.next()).rejects.toThrow();
  });
});

describe('a simulated executor', () => {
  const accept: HostVerifier = () => Promise.resolve();

  async function executorWorld(verify = accept, given: WorldOptions = {}) {
    const all = await vmWorld(given);
    const heard: string[] = [];
    const factory = createSimulatedExecutorFactory({ host: all.host, clock: all.clock, latencyMs: 0 });
    const to = (address: string): Executor =>
      factory({ address, remoteUser: 'root' }, verify, {
        connected: () => heard.push('connected'),
        verified: () => heard.push('verified'),
        lost: () => heard.push('lost'),
      });
    return { ...all, heard, to };
  }

  it('verifies the host once, before any command (X-5)', async () => {
    const { to, instance, heard } = await executorWorld();
    const executor = to(instance.address);
    await Promise.all([executor.run('true', within), executor.run('true', within)]);
    expect(heard).toEqual(['connected', 'verified']);
  });

  it('sends nothing to a host that was refused (T-70)', async () => {
    const refuse: HostVerifier = () => Promise.reject(new Error('another host'));
    const { to, instance, run } = await executorWorld(refuse);
    const call = to(instance.address).run(start, { ...within, stdin: '{}' });
    await expect(call).rejects.toMatchObject({ code: 'host-key' });
    expect((await run(list)).stdout).toBe('');
  });

  it('lets the secret decide by a command of its own (X-6)', async () => {
    let told = '';
    const bySecret: HostVerifier = async (_key, run) => {
      told = (await run('cat /var/run/arvados-instance-secret')).stdout;
    };
    const { to, instance } = await executorWorld(bySecret);
    await to(instance.address).run('true', within);
    expect(told).toBe(secret);
  });

  it('says no-address, refused, exit, timeout, aborted and closed (X-3)', async () => {
    const { to, instance, clock } = await executorWorld(accept, { vm: { detachDelayMs: 5_000 } });
    await expect(to('').run('true', within)).rejects.toMatchObject({ code: 'no-address' });
    await expect(to('10.9.9.9:22').run('true', within)).rejects.toMatchObject({ code: 'refused' });
    const executor = to(instance.address);
    await expect(executor.run('crunch-run --collect x', within)).rejects.toMatchObject({
      code: 'exit',
      exitCode: 4,
    });
    const late = expect(
      executor.run(start, { stdin: '{}', timeoutMs: 10, signal: never }),
    ).rejects.toMatchObject({
      code: 'timeout',
    });
    await clock.advance(10);
    await late;
    await expect(executor.run('true', { timeoutMs: 10, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
    await executor.close();
    await expect(executor.run('true', within)).rejects.toMatchObject({ code: 'closed' });
  });

  it('streams a watch until it is closed', async () => {
    const { to, instance, clock } = await executorWorld();
    const executor = to(instance.address);
    const { lines, close } = await executor.open('crunch-run --watch', options);
    await executor.run(start, { ...within, stdin: '{}' });
    await clock.advance(1_000);
    close();
    const heard: string[] = [];
    for await (const line of lines) heard.push(line);
    expect(heard).toEqual(['attached', `started ${uuid}`, `ended ${uuid}`]);
  });
});

describe('an SSH host', () => {
  it('starts nothing any more once it was closed', async () => {
    const host = new SshHost({
      clock: systemClock,
      random: () => 0.5,
      hasKnownHostKeys: true,
      knobsOf: () => faultlessVm,
      execute: () => ({ durationMs: 0, exitCode: 0, stdout: '', stderr: '' }),
    });
    await host.close();
    expect((await errorOf(host.start('i', spec()))).code).toBe('unavailable');
  });
});
