import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import { DriverError } from '../../src/drivers/driver.js';
import { faultlessVm } from '../../src/drivers/simulated/vm-behavior.js';
import { SimulatedDriver } from '../../src/drivers/simulated/simulated-driver.js';
import { SshHost } from '../../src/drivers/simulated/ssh-host.js';
import { settle } from '../../src/simulation/heap-clock.js';
import type { SimulatedCloud } from '../../src/drivers/simulated/simulated-cloud.js';
import { cloudFaults } from './contract/fixtures.js';
import { describeDriverContract, errorOf, spec, type, type CloudFault } from './contract.js';
import { presentedKey } from './login.js';
import { closers, openOverSsh, options, world } from './simulated-world.js';

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Numbers in turn, the last for ever. */
const numbers =
  (...values: number[]) =>
  () =>
    values.length > 1 ? values.shift()! : values[0]!;

/** What the fault switch of the simulated cloud makes of each fault of the contract. */
const faultOf = (cloud: SimulatedCloud) => (fault: CloudFault) => {
  const more = { 'rate-limited': { retryAt: 2_000_000_000_000 }, capacity: { scope: 'type' } } as const;
  const given = fault in more ? more[fault as keyof typeof more] : { remedy: 'wait' };
  cloud.fault = () =>
    fault === 'silent' ? new Promise(() => {}) : Promise.reject(new DriverError(fault, 'as ordered', given));
};

const inMemory = (options: Parameters<typeof world>[0] & object, hasKeys: boolean) => {
  const { driver, cloud } = world({ ...options, hasKnownHostKeys: hasKeys });
  const genuine = async (id: string) => (hasKeys ? Buffer.from(`host key of ${id}`) : undefined);
  return Promise.resolve({
    driver,
    hostKeyOf: ({ id }: { id: string }) => genuine(id),
    end: () => cloud.close(),
    fault: faultOf(cloud),
    reopen: () => Promise.resolve(new SimulatedDriver(cloud)),
  });
};

describeDriverContract('simulated', () => inMemory({ cloud: { maxInstances: 2 } }, true));

describeDriverContract('simulated (secret)', () => inMemory({ cloud: { maxInstances: 2 } }, false));

describeDriverContract('simulated (late)', () =>
  inMemory({ cloud: { maxInstances: 2, listLagMs: 60, addressDelayMs: 40 }, clock: systemClock }, true),
);

describeDriverContract(
  'simulated (SSH)',
  async () => {
    const driver = await openOverSsh({ maxInstances: 2 });
    return { driver, hostKeyOf: presentedKey, end: () => driver.stop() };
  },
  Object.fromEntries(
    [...cloudFaults, 'reopen'].map((each) => [
      each,
      'its cloud is inside; shown on the simulated ones above',
    ]),
  ),
);

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
