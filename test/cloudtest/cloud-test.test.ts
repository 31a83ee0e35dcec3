import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CloudTest, type CloudTestOptions } from '../../src/cloudtest/cloud-test.js';
import type { CloudTestReport, StepName } from '../../src/cloudtest/report.js';
import { runCloudTest } from '../../src/cloudtest/run-cloud-test.js';
import { parseConfig } from '../../src/config/load.js';
import { ensureSecrets } from '../../src/config/secrets.js';
import { systemClock, type Clock } from '../../src/domain/clock.js';
import { tagKeys } from '../../src/domain/instance.js';
import { DriverError, type Driver } from '../../src/drivers/driver.js';
import { openDriver } from '../../src/drivers/registry.js';
import { delegate } from '../../src/drivers/wrappers/delegate.js';
import { loginKey, options, spec, type } from '../drivers/contract.js';
import { executorsWith } from '../drivers/login.js';
import { cloudTestWishes } from '../support/cloud-test-wishes.js';

/** Time as it is, and moved on when a test has seen enough: no deadline passes because the machine is slow. */
class MovedClock implements Clock {
  /** How long each timer was to last. */
  readonly pausesMs: number[] = [];
  #aheadMs = 0;

  now(): number {
    return systemClock.now() + this.#aheadMs;
  }

  setTimeout(callback: () => void, ms: number): unknown {
    this.pausesMs.push(ms);
    return systemClock.setTimeout(callback, ms);
  }

  clearTimeout(timer: unknown): void {
    systemClock.clearTimeout(timer);
  }

  moveOn(ms: number): void {
    this.#aheadMs += ms;
  }
}

const hourMs = 3_600_000;
const setId = 'zzzzz-zzzzz-zzzzzzcloudtest';
let stateDir: string;
let driver: Driver;

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'longshore-cloudtest-'));
  driver = await openDriver('loopback', {
    parameters: {},
    instanceSetId: setId,
    stateDir,
    clock: systemClock,
    random: Math.random,
  });
});
afterEach(async () => {
  for (const { id } of await driver.list({}, options)) await driver.destroy(id, options);
  await driver.stop();
  await rm(stateDir, { recursive: true, force: true, maxRetries: 5 });
});

const test = (change: Partial<CloudTestOptions> = {}): Promise<CloudTestReport> =>
  new CloudTest({
    driver,
    clock: systemClock,
    executors: executorsWith(loginKey.privateKey),
    signal: new AbortController().signal,
    begun: () => {},
    done: () => {},
    instanceType: type('small'),
    resourceTags: {},
    tagKeys: tagKeys('Arvados'),
    instanceSetId: setId,
    imageId: '',
    instanceInitCommand: '',
    publicKey: loginKey.publicKey,
    newSecret: () => 'ab'.repeat(20),
    defaultPort: '22',
    bootProbeCommand: 'true',
    command: '',
    destroysLeftovers: false,
    timeoutBootingMs: hourMs,
    timeoutDestroyMs: hourMs,
    pauseMs: 20,
    ...change,
  }).run();

const failures = ({ steps }: CloudTestReport): [StepName, string][] =>
  steps.flatMap(({ step, ok, detail }) => (ok ? [] : [[step, detail] as [StepName, string]]));
const present = async (): Promise<string[]> => (await driver.list({}, options)).map(({ id }) => id);

describe('the test of a cloud', { timeout: 300_000 }, () => {
  it('takes an instance from creation to destruction, and says how long each step took (DT-37, CT-6)', async () => {
    const begun: string[] = [];
    const report = await test({ command: 'echo hello', begun: (step) => void begun.push(step) });
    expect(failures(report)).toEqual([]);
    expect(report).toMatchObject({ ok: true, driver: 'loopback', instanceType: 'small', left: [] });
    const steps = report.steps.map(({ step }) => step);
    expect(steps).toEqual(begun);
    expect(steps).toEqual(
      'list create listed address tags|set tags|login|boot probe|command destroy'
        .split('|')
        .flatMap((each) => (/^(list|command)/.test(each) ? each.split(' ') : [each])),
    );
    const detailOf = (name: StepName) => report.steps.find(({ step }) => step === name)?.detail;
    expect([detailOf('command'), detailOf('address')]).toEqual([
      'hello',
      expect.stringMatching(/^ssh -p\d+ root@127/),
    ]);
    expect(await present()).toEqual([]);
  });

  it('fails with what the shell said when the boot probe never succeeds, and destroys all the same (DT-37)', async () => {
    let isProbing = false;
    const clock = new MovedClock();
    let tries = 0;
    const report = await test({
      clock,
      bootProbeCommand: 'falsey',
      driver: {
        ...delegate(driver),
        list: (tags, more) => {
          // It is looked up before each try.
          if (isProbing && ++tries === 3) clock.moveOn(hourMs);
          return driver.list(tags, more);
        },
      },
      begun: (step) => void (isProbing = step === 'boot probe'),
    });
    expect(tries).toBe(3);
    expect(failures(report)).toEqual([['boot probe', expect.stringContaining('not found') as string]]);
    expect(report.ok).toBe(false);
    expect(await present()).toEqual([]);
  });

  it('fails when the command does (DT-37)', async () => {
    const report = await test({ command: 'echo why >&2; exit 3' });
    expect(failures(report)).toEqual([['command', expect.stringContaining('why') as string]]);
    expect(await present()).toEqual([]);
  });

  it('tests each zone, the others too when one is broken (DT-38, CT-5, DW-15)', async () => {
    const zoned: Driver = {
      ...delegate(driver),
      zones: () => ['a', 'b'],
      create: (order, given) =>
        order.zone === 'a'
          ? Promise.reject(new DriverError('invalid', 'no such zone', { remedy: 'name another' }))
          : driver.create(order, given),
    };
    const report = await test({ driver: zoned });
    expect(report.ok).toBe(false);
    expect(failures(report)).toEqual([['create', 'invalid: no such zone; name another']]);
    expect(report.steps.filter(({ zone }) => zone === 'b').map(({ step }) => step)).toContain('boot probe');
    expect(await present()).toEqual([]);
  });

  it('destroys an instance that appears though its create call failed (DT-39)', async () => {
    const clock = new MovedClock();
    let appear: (() => Promise<unknown>) | undefined;
    let lists = 0;
    const late: Driver = {
      ...delegate(driver),
      create: async (order, given) => {
        appear = () => driver.create(order, given);
        throw new DriverError('unavailable', 'the answer was lost');
      },
      list: async (tags, more) => {
        if (appear && ++lists === 3) await appear();
        return driver.list(tags, more);
      },
      destroy: async (id, more) => {
        await driver.destroy(id, more);
        clock.moveOn(30_000);
      },
    };
    const report = await test({ driver: late, clock });
    expect(report).toMatchObject({ ok: false, left: [] });
    expect(report.steps.map(({ step, ok }) => [step, ok])).toEqual([
      ['list', true],
      ['create', false],
      ['destroy', true],
    ]);
    expect(await present()).toEqual([]);
  });

  it('touches nothing of an earlier test unless it is told to (DT-40)', async () => {
    const tags = { ArvadosInstanceSetID: setId };
    const old = await driver.create(spec({ tags }), options);
    const other = await driver.create(spec({ tags: { ArvadosInstanceSetID: 'another' } }), options);
    const refused = await test();
    expect(failures(refused)).toEqual([
      ['leftovers', expect.stringContaining('--destroy-existing') as string],
    ]);
    expect(refused.steps.map(({ step }) => step)).toEqual(['list', 'leftovers']);
    expect(await present()).toEqual([old.id, other.id]);
    const report = await test({ destroysLeftovers: true });
    expect([report.ok, failures(report)]).toEqual([true, []]);
    expect(await present()).toEqual([other.id]);
  });

  it('collects what is wrong with tags, and goes on (CT-7)', async () => {
    const careless: Driver = {
      ...delegate(driver),
      create: (order, given) => {
        const { ArvadosIdleBehavior: _, ...tags } = order.tags;
        return driver.create({ ...order, tags }, given);
      },
      setTags: () => Promise.reject(new DriverError('auth', 'not allowed', { remedy: 'allow it' })),
    };
    const report = await test({ driver: careless, resourceTags: { team: 'x' } });
    expect(failures(report)).toEqual([
      ['tags', 'not as ordered: team, ArvadosIdleBehavior'],
      ['set tags', 'auth: not allowed; allow it'],
    ]);
    expect(report.steps.map(({ step, ok }) => ok && step)).toContain('boot probe');
  });

  it('accepts no other host than the one that was made (DI-12)', async () => {
    const doubtful: Driver = { ...delegate(driver), verifyHostKey: () => Promise.resolve(false) };
    const clock = new MovedClock();
    const begun = (step: StepName): void => void (step === 'login' && clock.moveOn(hourMs));
    const report = await test({ driver: doubtful, clock, begun });
    expect(failures(report)).toEqual([['login', expect.stringContaining('host-key') as string]]);
    expect(await present()).toEqual([]);
  });

  it('destroys what it made when the operator gives up in the middle', async () => {
    const controller = new AbortController();
    const report = await test({
      signal: controller.signal,
      bootProbeCommand: 'sleep 100',
      begun: (step) => {
        if (step === 'boot probe') setTimeout(() => controller.abort(), 100);
      },
    });
    expect(report).toMatchObject({ ok: false, left: [] });
    expect(report.steps.at(-1)).toMatchObject({ step: 'destroy', ok: true });
    expect(report.steps.at(-2)).toMatchObject({ step: 'boot probe', ok: false });
    expect(await present()).toEqual([]);
  });

  it('names what it could not destroy (DW-15)', async () => {
    const stubborn: Driver = {
      ...delegate(driver),
      destroy: () => Promise.reject(new DriverError('unavailable', 'try later')),
    };
    const report = await test({ driver: stubborn, timeoutDestroyMs: 200 });
    expect(failures(report)).toEqual([['destroy', 'unavailable: try later']]);
    expect(report.left).toEqual(await present());
  });

  it('waits between lists that fail while it destroys, and gives up in the end (DW-15)', async () => {
    const clock = new MovedClock();
    let asked = 0;
    let isDestroying = false;
    const blind: Driver = {
      ...delegate(driver),
      list: (tags, more) => {
        if (!isDestroying) return driver.list(tags, more);
        if (++asked === 3) clock.moveOn(2 * hourMs);
        return Promise.reject(new DriverError('unavailable', 'no list'));
      },
    };
    const lookAround = async (): Promise<void> => {
      isDestroying = true;
      clock.pausesMs.length = 0;
    };
    const report = await test({ driver: blind, lookAround, clock, pauseMs: 20 });
    expect(failures(report)).toEqual([['destroy', expect.stringContaining('no list')]]);
    expect(report.left).toEqual(await present());
    expect([asked, clock.pausesMs]).toEqual([3, [20, 20]]);
  });

  it('lets a person look around, with what they need to log in', async () => {
    let login: unknown;
    const report = await test({ lookAround: (hint) => Promise.resolve(void (login = hint)) });
    expect(login).toMatchObject({ host: '127.0.0.1', user: 'root', hostKey: expect.anything() as unknown });
    expect(report.ok).toBe(true);
  });
});

it('runs from a configuration, through the wrappers, and refuses a type there is not', async () => {
  const folder = join(stateDir, 'configured');
  const text = `clusterId: wired
stateDir: ${folder}
driver: loopback
instanceTypes:
  small: { vcpus: 1, ram: 1GiB, price: 0.1 }
  cheap: { vcpus: 1, ram: 1GiB, price: 0.05 }
pool: { bootProbeCommand: 'true', resourceTags: { team: x }, probeInterval: 100ms }`;
  const config = ensureSecrets(parseConfig(text, { path: join(stateDir, 'c.yaml'), env: {} }));
  const run = (name: string) =>
    runCloudTest(config, systemClock, cloudTestWishes({ type: name, setId }), new AbortController().signal);
  await expect(run('huge')).rejects.toThrow('use one of small, cheap');
  const report = await run('');
  expect([failures(report), report.ok, report.instanceType]).toEqual([[], true, 'cheap']);
  const state = await readFile(join(folder, 'loopback', setId, 'instances.json'), 'utf8');
  expect(JSON.parse(state)).toMatchObject({ instances: [] });
});
