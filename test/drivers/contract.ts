import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/domain/clock.js';
import type { Instance } from '../../src/domain/instance.js';
import { noGpu, type InstanceType } from '../../src/domain/instance-type.js';
import { DriverError, driverErrorCodes, type CreateSpec, type Driver } from '../../src/drivers/driver.js';
import { wrapDriver } from '../../src/drivers/wrappers/wrap.js';
import { generateKeyPair } from '../../src/ssh/keys.js';

export const loginKey = generateKeyPair();
export const secret = '0123456789abcdef0123456789abcdef01234567';
export const never = new AbortController().signal;

export const type = (name: string, change: Partial<InstanceType> = {}): InstanceType => ({
  name,
  providerType: `provider.${name}`,
  vcpus: 1,
  ramBytes: 2 ** 30,
  scratchBytes: 2 ** 30,
  includedScratchBytes: 2 ** 30,
  addedScratchBytes: 0,
  price: 0.1,
  preemptible: false,
  gpu: noGpu,
  ...change,
});

let specs = 0;
export const spec = (change: Partial<CreateSpec> = {}): CreateSpec => ({
  instanceType: type('small'),
  imageId: 'image',
  tags: { InstanceSetID: 'set', InstanceType: 'small' },
  initCommand: `umask 0177 && echo -n "${secret}" >/var/run/arvados-instance-secret\n`,
  publicKey: loginKey.publicKey,
  idempotencyToken: `token-${++specs}`,
  ...change,
});

/** The error of a call that must fail, proven to be of the contract's one class and codes. */
export async function errorOf(call: Promise<unknown>): Promise<DriverError> {
  const error = await call.then(
    () => expect.fail('the call succeeded'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DriverError);
  expect(driverErrorCodes).toContain((error as DriverError).code);
  return error as DriverError;
}

/** As the pool uses a driver, without limit of rate. */
export const wrapped = (driver: Driver): Driver =>
  wrapDriver(driver, {
    clock: systemClock,
    resourceTags: {},
    opsPerSecond: 0,
    timeoutMs: 20_000,
    observe: () => {},
  });

export interface ContractSubject {
  driver: Driver;
  /** The key a genuine instance shows. `undefined` when this subject leaves the decision to the instance secret. */
  hostKeyOf(instance: Instance): Promise<Uint8Array | undefined>;
  /** Everything the subject holds is ended and freed. */
  end(): Promise<void>;
}

/** What every driver has to do; run for each of them. Subjects have room for two instances and not for a third. */
export function describeDriverContract(name: string, open: () => Promise<ContractSubject>): void {
  describe(`the driver contract: ${name}`, () => {
    let subject: ContractSubject;
    let driver: Driver;
    beforeEach(async () => {
      subject = await open();
      driver = wrapped(subject.driver);
    });
    afterEach(() => subject.end());
    const options = { signal: never };
    const ids = async (): Promise<string[]> => (await driver.list({}, options)).map(({ id }) => id);

    it('lists what it created, with its tags and its type (DI-6, DI-7)', async () => {
      const made = await driver.create(spec(), options);
      const [listed, ...others] = await driver.list({ InstanceSetID: 'set' }, options);
      expect(others).toEqual([]);
      expect(listed).toMatchObject({ id: made.id, providerType: 'provider.small', tags: spec().tags });
      expect(await driver.list({ InstanceSetID: 'another' }, options)).toEqual([]);
    });

    it('gives each instance an address in the end, and an id of its own (DI-10)', async () => {
      await Promise.all([driver.create(spec(), options), driver.create(spec(), options)]);
      const addresses = async (): Promise<string[]> =>
        (await driver.list({}, options)).map(({ address }) => address);
      await expect.poll(async () => new Set((await addresses()).filter(Boolean)).size).toBe(2);
      expect(new Set(await ids()).size).toBe(2);
    });

    it('destroys once and again, and what was never there (DI-10)', async () => {
      const { id } = await driver.create(spec(), options);
      const kept = await driver.create(spec(), options);
      await Promise.all([driver.destroy(id, options), driver.destroy(id, options)]);
      await expect.poll(ids).toEqual([kept.id]);
      await driver.destroy(id, options);
      await driver.destroy('never-there', options);
      expect(await ids()).toEqual([kept.id]);
    });

    it('replaces all tags, so that a key can go away (DI-11, DW-2)', async () => {
      const { id } = await driver.create(spec({ tags: { a: '1', b: '2' } }), options);
      await driver.setTags(id, { b: '3', c: '4' }, options);
      expect((await driver.list({}, options))[0]?.tags).toEqual({ b: '3', c: '4' });
    });

    it('hands out snapshots: changing one changes nothing (D-23)', async () => {
      await driver.create(spec({ tags: { a: '1' } }), options);
      const [first] = await driver.list({}, options);
      (first!.tags as Record<string, string>)['a'] = 'changed';
      expect((await driver.list({}, options))[0]?.tags).toEqual({ a: '1' });
    });

    it('says not-found of tags for an instance that is not there (ER-1)', async () => {
      expect((await errorOf(driver.setTags('never-there', {}, options))).code).toBe('not-found');
    });

    it('says quota when there may be no more, and again has room after a destroy (ER-3)', async () => {
      const { id } = await driver.create(spec(), options);
      await driver.create(spec(), options);
      const error = await errorOf(driver.create(spec(), options));
      expect(error.code).toBe('quota');
      expect(inspect(error, { depth: 9 })).not.toContain(secret);
      await driver.destroy(id, options);
      await expect.poll(async () => (await ids()).length).toBe(1);
      await driver.create(spec(), options);
    });

    it('ends each call with aborted once its signal aborts', async () => {
      const instance = await driver.create(spec(), options);
      const aborted = { signal: AbortSignal.abort() };
      const calls = [
        driver.create(spec(), aborted),
        driver.list({}, aborted),
        driver.destroy(instance.id, aborted),
        driver.setTags(instance.id, {}, aborted),
        driver.verifyHostKey(instance, new Uint8Array(1), aborted),
      ];
      for (const call of calls) {
        const error = await errorOf(call);
        expect(error.code).toBe('aborted');
        expect(inspect(error, { depth: 9 })).not.toContain(secret);
      }
    });

    it('knows the host key of its instance from another, or leaves that to the secret (DI-12)', async () => {
      await driver.create(spec(), options);
      await expect.poll(async () => (await driver.list({}, options))[0]?.address).toMatch(/:\d+$/);
      const [instance] = await driver.list({}, options);
      const genuine = await subject.hostKeyOf(instance!);
      const wrong = await driver.verifyHostKey(instance!, new Uint8Array(51), options);
      if (genuine === undefined) expect(wrong).toBeUndefined();
      else {
        expect(wrong).toBe(false);
        expect(await driver.verifyHostKey(instance!, genuine, options)).toBe(true);
      }
    });

    it('gives a type the same quota group each time (DI-8)', () => {
      expect(driver.quotaGroup(type('small'))).toBe(driver.quotaGroup(type('small')));
    });

    it('has no spot prices for a type that is not preemptible (DI-13)', async () => {
      expect(driver.priceHistory(await driver.create(spec(), options), type('small'))).toEqual([]);
    });

    it('can be stopped twice (DI-9)', async () => {
      await driver.create(spec(), options);
      await driver.stop();
      await driver.stop();
    });
  });
}
