import { expect, it } from 'vitest';
import type { CallOptions, Driver, DriverError } from '../../../src/drivers/driver.js';
import type { Instance } from '../../../src/domain/instance.js';
import {
  errorOf,
  never,
  options,
  wrapped,
  type Ability,
  type CloudFault,
  type ContractWorld,
} from './fixtures.js';

/** The calls that reach the cloud, each with its name. */
function remoteCalls(world: ContractWorld, driver: Driver, id: string, given: CallOptions) {
  return {
    create: () => driver.create(world.wish(), given),
    list: () => driver.list({}, given),
    destroy: () => driver.destroy(id, given),
    setTags: () => driver.setTags(id, { a: '2' }, given),
  };
}

async function inject({ subject }: ContractWorld, fault: CloudFault): Promise<void> {
  if (!subject.fault) expect.fail(`the subject cannot show "${fault}": write it, or say why under "without"`);
  await subject.fault(fault);
}

/** What calls end with when the caller gives up, time runs out, or the cloud refuses. `can` leaves cases out. */
export function faultCases(world: ContractWorld, can: (ability: Ability) => boolean): void {
  it('refuses each call whose signal has aborted, and does nothing (K-3)', async () => {
    const { subject, wish, listed, driver, find } = world;
    const { id } = await driver.create(wish({ tags: { a: '1' } }), options);
    const instance: Instance = await find(id);
    const aborted = { signal: AbortSignal.abort() };
    const calls = [
      ...Object.values(remoteCalls(world, subject.driver, id, aborted)),
      () => subject.driver.verifyHostKey(instance, new Uint8Array(1), aborted),
    ];
    for (const call of calls) expect((await errorOf(call(), subject.secrets)).code).toBe('aborted');
    await listed([id]);
    expect((await find(id)).tags).toEqual({ a: '1' });
  });

  it('ends each call as soon as its signal aborts, whether the cloud answers or not (K-3)', async () => {
    const { subject, driver, wish, find } = world;
    const { id } = await driver.create(wish(), options);
    await find(id);
    if (can('silent')) await inject(world, 'silent');
    for (const what of ['create', 'list', 'destroy', 'setTags'] as const) {
      const controller = new AbortController();
      const call = remoteCalls(world, subject.driver, id, { signal: controller.signal })[what]();
      controller.abort();
      expect([what, (await errorOf(call, subject.secrets)).code]).toEqual([what, 'aborted']);
    }
  });

  if (can('silent')) {
    it('ends each call at its deadline when the cloud is silent (K-3)', async () => {
      const { subject, driver, wish, find } = world;
      const { id } = await driver.create(wish(), options);
      await find(id);
      await inject(world, 'silent');
      const calls = remoteCalls(world, wrapped(subject.driver, 300), id, options);
      const errors = await Promise.all(Object.values(calls).map((call) => errorOf(call(), subject.secrets)));
      expect(errors.map(({ code }) => code)).toEqual(Array<string>(4).fill('unavailable'));
    });
  }

  const check = async (fault: CloudFault, names: readonly string[], verify: (error: DriverError) => void) => {
    const { subject, driver, wish, find } = world;
    const { id } = await driver.create(wish(), options);
    await find(id);
    await inject(world, fault);
    const calls = remoteCalls(world, subject.driver, id, { signal: never });
    for (const [name, call] of Object.entries(calls)) {
      if (!names.includes(name)) continue;
      const error = await errorOf(call(), subject.secrets);
      expect([name, error.code]).toEqual([name, fault]);
      verify(error);
    }
  };
  const all = ['create', 'list', 'destroy', 'setTags'];

  if (can('rate-limited')) {
    it('says rate-limited of each call, with the time to wait for (ER-2, DW-3)', async () => {
      await check('rate-limited', all, ({ retryAt }) => expect(retryAt).toBeGreaterThan(0));
    });
  }
  if (can('capacity')) {
    it('says capacity when the cloud has none, and how far that reaches (ER-4)', async () => {
      await check('capacity', ['create'], ({ scope }) => expect(['type', 'group', 'all']).toContain(scope));
    });
  }
  if (can('auth')) {
    it('says auth of each call when the credentials are refused, with a remedy', async () => {
      await check('auth', all, ({ remedy }) => expect(remedy ?? '').not.toBe(''));
    });
  }
  if (can('unavailable')) {
    it('says unavailable of each call while the cloud has a fault', async () => {
      await check('unavailable', all, ({ retryAt }) => expect(retryAt ?? 0).toBeGreaterThanOrEqual(0));
    });
  }
}
