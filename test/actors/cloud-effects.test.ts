import { describe, expect, it } from 'vitest';
import { createInstanceWith, type CreateInstanceDeps } from '../../src/actors/create-instance.js';
import { destroyInstanceWith } from '../../src/actors/destroy-instance.js';
import { listInstancesWith } from '../../src/actors/list-instances.js';
import { saveTagsWith } from '../../src/actors/save-tags.js';
import { DriverError, type CreateSpec } from '../../src/drivers/driver.js';
import { settle } from '../../src/simulation/heap-clock.js';
import { Slots } from '../../src/async/semaphore.js';
import { keys, runEffect, secret, startEffect } from '../support/effects-world.js';
import { instanceOf, ScriptedDriver } from '../support/scripted-driver.js';
import { smallType } from '../support/worker-world.js';

const wish = { launchId: 'l-1', instanceType: smallType, secret, because: 'a container waits' };

function createInstance(driver: ScriptedDriver, change: Partial<CreateInstanceDeps> = {}) {
  return createInstanceWith({
    driver,
    tagKeys: keys,
    instanceSetId: 'set-1',
    imageId: 'image-1',
    instanceInitCommand: 'touch /ready',
    publicKey: 'ssh-ed25519 AAAA',
    ...change,
  });
}

const specOf = (driver: ScriptedDriver, index = 0): CreateSpec =>
  driver.called('create')[index]!.args[0] as CreateSpec;

describe('creating an instance', () => {
  it('tags it with set, type, behavior and the fingerprint of its secret, not the secret (L-5, DW-14)', async () => {
    const driver = new ScriptedDriver();
    const outcome = await runEffect(createInstance(driver), wish);
    expect(outcome).toMatchObject({ ok: true, instance: { id: 'i-1' } });
    const { tags } = specOf(driver);
    expect(tags).toEqual({
      LongshoreInstanceSetID: 'set-1',
      LongshoreInstanceType: 'small',
      LongshoreIdleBehavior: 'run',
      LongshoreInstanceSecret: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
    });
    expect(JSON.stringify(tags)).not.toContain(secret);
  });

  it('tags it with the secret itself where the old dispatcher is to verify it (X-6)', async () => {
    const driver = new ScriptedDriver();
    await runEffect(createInstance(driver, { plainSecretTag: true }), wish);
    expect(specOf(driver).tags['LongshoreInstanceSecret']).toBe(secret);
    expect(specOf(driver).initCommand).toContain(`echo -n "${secret}"`);
  });

  it('has the secret written by the init command, before the configured one (L-6, T-8)', async () => {
    const driver = new ScriptedDriver();
    await runEffect(createInstance(driver), wish);
    await runEffect(createInstance(driver, { instanceInitCommand: '' }), wish);
    const first = `umask 0177 && echo -n "${secret}" >/var/run/arvados-instance-secret\n`;
    expect([specOf(driver).initCommand, specOf(driver, 1).initCommand]).toEqual([
      `${first}touch /ready`,
      first,
    ]);
  });

  it.each(['ssh-ed25519 AAAA', undefined])('passes image and key %s on (L-7)', async (publicKey) => {
    const driver = new ScriptedDriver();
    await runEffect(createInstance(driver, { publicKey }), wish);
    expect(specOf(driver)).toMatchObject({ imageId: 'image-1', publicKey, instanceType: smallType });
  });

  it('gives each try of one wish the same token, another wish another, and neither tells the secret', async () => {
    const driver = new ScriptedDriver();
    for (const each of [wish, wish, { ...wish, secret: 'b1'.repeat(20) }])
      await runEffect(createInstance(driver), each);
    const tokens = [0, 1, 2].map((index) => specOf(driver, index).idempotencyToken);
    expect(tokens[0]).toBe(tokens[1]);
    expect(tokens[0]).not.toBe(tokens[2]);
    expect(tokens[0]).toMatch(/^[0-9a-f]{40}$/);
    expect(tokens[0]).not.toBe(secret);
  });

  it('tells a refusal as data, with what the pool has to know (L-9)', async () => {
    const driver = new ScriptedDriver();
    driver.fail('create', new DriverError('rate-limited', 'slow down', { retryAt: 5_000 }));
    expect(await runEffect(createInstance(driver), wish)).toMatchObject({
      ok: false,
      error: { code: 'rate-limited', message: 'slow down', retryAt: 5_000 },
    });
    driver.fail(
      'create',
      new DriverError('capacity', 'none left', { scope: 'group', remedy: 'another zone' }),
    );
    expect(await runEffect(createInstance(driver), wish)).toMatchObject({
      error: { code: 'capacity', scope: 'group', remedy: 'another zone' },
    });
    driver.fail('create', new TypeError('a bug in the driver'));
    expect(await runEffect(createInstance(driver), wish)).toMatchObject({ error: { code: 'unavailable' } });
  });

  it('tells no secret when a provider repeats the request in its error', async () => {
    const driver = new ScriptedDriver();
    driver.fail('create', new DriverError('invalid', `bad user data: echo -n "${secret}" ${secret}`));
    const outcome = await runEffect(createInstance(driver), wish);
    expect(outcome).toMatchObject({ error: { message: 'bad user data: echo -n "[secret]" [secret]' } });
    expect(JSON.stringify(outcome)).not.toContain(secret);
  });

  it('gives the call up when it is stopped', async () => {
    const driver = new ScriptedDriver();
    driver.hold('create');
    const effect = await startEffect(createInstance(driver), wish);
    expect(driver.inFlight).toBe(1);
    await effect.stop();
    expect(driver.inFlight).toBe(0);
  });
});

describe('listing instances', () => {
  const typeOf = () => smallType;

  it('tells what a spot instance costs as the type it was made as (DI-13)', async () => {
    const driver = new ScriptedDriver();
    driver.instances.set('i-1', instanceOf({ priceHistory: [{ startAt: 1, price: 0.5 }] }));
    driver.instances.set('i-2', instanceOf({ id: 'i-2' }));
    driver.priceHistory = () => [{ startAt: 1, price: 0.5 + smallType.price }];
    const outcome = await runEffect(listInstancesWith({ driver, tags: {}, typeOf }), undefined);
    const prices = outcome.ok ? outcome.instances.map(({ priceHistory }) => priceHistory) : [];
    expect(prices).toEqual([[{ startAt: 1, price: 0.5 + smallType.price }], []]);
  });

  it('asks for those with the tags (L-22)', async () => {
    const driver = new ScriptedDriver();
    driver.instances.set('i-1', instanceOf({ tags: { set: 'a' } }));
    driver.instances.set('i-2', instanceOf({ id: 'i-2', tags: { set: 'b' } }));
    const outcome = await runEffect(listInstancesWith({ driver, tags: { set: 'a' }, typeOf }), undefined);
    expect(outcome).toMatchObject({ ok: true, instances: [{ id: 'i-1' }] });
  });

  it('tells a failure as data', async () => {
    const driver = new ScriptedDriver();
    driver.fail('list', new DriverError('auth', 'no', { remedy: 'renew the key' }));
    const outcome = await runEffect(listInstancesWith({ driver, tags: {}, typeOf }), undefined);
    expect(outcome).toMatchObject({ ok: false, error: { code: 'auth', remedy: 'renew the key' } });
  });
});

describe('destroying and tagging', () => {
  const slots = (): Slots => new Slots(2);

  it('orders the end of the instance; one that is gone is no failure (S-1)', async () => {
    const driver = new ScriptedDriver();
    driver.instances.set('i-1', instanceOf());
    const logic = destroyInstanceWith({ driver, destroys: slots() });
    expect(await runEffect(logic, { instanceId: 'i-1' })).toEqual({ ok: true });
    expect(driver.instances.size).toBe(0);
    expect(await runEffect(logic, { instanceId: 'i-1' })).toEqual({ ok: true });
  });

  it('writes the whole tag map (I-8)', async () => {
    const driver = new ScriptedDriver();
    driver.instances.set('i-1', instanceOf({ tags: { old: 'x' } }));
    const logic = saveTagsWith({ driver, tagWrites: slots() });
    expect(await runEffect(logic, { instanceId: 'i-1', tags: { a: '1' } })).toEqual({ ok: true });
    expect(driver.instances.get('i-1')!.tags).toEqual({ a: '1' });
    expect(await runEffect(logic, { instanceId: 'i-9', tags: {} })).toMatchObject({
      ok: false,
      code: 'not-found',
    });
  });

  it('tell a failure by its code, with what the operator can do', async () => {
    const driver = new ScriptedDriver();
    driver.fail('destroy', new DriverError('auth', 'refused', { remedy: 'grant the right' }));
    const logic = destroyInstanceWith({ driver, destroys: slots() });
    expect(await runEffect(logic, { instanceId: 'i-1' })).toMatchObject({
      ok: false,
      code: 'auth',
      message: 'refused: grant the right',
      expected: false,
    });
  });

  it.each(['destroy', 'setTags'] as const)(
    'keep to their bound, and free the place of a failed one: %s (K-38)',
    async (method) => {
      const driver = new ScriptedDriver();
      for (let n = 0; n < 6; n++) driver.instances.set(`i-${n}`, instanceOf({ id: `i-${n}` }));
      const destroy = destroyInstanceWith({ driver, destroys: slots() });
      const save = saveTagsWith({ driver, tagWrites: slots() });
      const release = driver.hold(method);
      const outcomes = Array.from({ length: 6 }, (_, n) => {
        const instanceId = `i-${n}`;
        return method === 'destroy'
          ? runEffect(destroy, { instanceId })
          : runEffect(save, { instanceId, tags: {} });
      });
      await settle();
      expect(driver.called(method)).toHaveLength(2);
      driver.instances.delete('i-1');
      release();
      const codes = (await Promise.all(outcomes)).map((outcome) => (outcome.ok ? 'ok' : outcome.code));
      expect(codes).toEqual(['ok', method === 'destroy' ? 'ok' : 'not-found', 'ok', 'ok', 'ok', 'ok']);
      expect(driver.mostInFlight).toBe(2);
    },
  );
});
