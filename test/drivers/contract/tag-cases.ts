import { expect, it } from 'vitest';
import { errorOf, lag, options, type, type ContractWorld } from './fixtures.js';

/** Tags, keys, prices and groups. */
export function tagCases(world: ContractWorld): void {
  const tagsOf = (id: string) => async (): Promise<unknown> => (await world.find(id)).tags;

  it('replaces all tags, so that a key can go away (DI-11, DW-2)', async () => {
    const { driver, wish, find } = world;
    const { id } = await driver.create(wish({ tags: { a: '1', b: '2' } }), options);
    await find(id);
    await driver.setTags(id, { b: '3', c: '4' }, options);
    await expect.poll(tagsOf(id), lag).toEqual({ b: '3', c: '4' });
    await driver.setTags(id, { b: '3' }, options);
    await expect.poll(tagsOf(id), lag).toEqual({ b: '3' });
    await driver.setTags(id, {}, options);
    await expect.poll(tagsOf(id), lag).toEqual({});
  });

  it('says not-found of tags for an instance that is not there (ER-1)', async () => {
    const { driver, subject } = world;
    const error = await errorOf(driver.setTags('i-0123456789abcdef0', { a: '1' }, options), subject.secrets);
    expect(error.code).toBe('not-found');
  });

  it('knows the host key of its instance from another, or leaves that to the secret (DI-12)', async () => {
    const { driver, wish, find, subject } = world;
    const { id } = await driver.create(wish(), options);
    await expect.poll(async () => (await find(id)).address, lag).not.toBe('');
    const instance = await find(id);
    const genuine = await subject.hostKeyOf(instance);
    const wrong = await driver.verifyHostKey(instance, new Uint8Array(51), options);
    if (genuine === undefined) expect(wrong).toBeUndefined();
    else {
      expect(wrong).toBe(false);
      expect(await driver.verifyHostKey(instance, genuine, options)).toBe(true);
    }
  });

  it('gives a type the same quota group each time (DI-8)', () => {
    const { driver } = world;
    expect(driver.quotaGroup(type('small'))).toBe(driver.quotaGroup(type('small')));
  });

  it('has no spot prices for a type that is not preemptible (DI-13)', async () => {
    const { driver, wish } = world;
    const order = wish();
    const instance = await driver.create(order, options);
    expect(instance.priceHistory).toEqual([]);
    expect(driver.priceHistory(instance, order.instanceType)).toEqual([]);
  });

  it('says quota when there may be no more, and again has room after a destroy (ER-3)', async () => {
    const { driver, wish, listed, subject } = world;
    const first = await driver.create(wish(), options);
    const second = await driver.create(wish(), options);
    await listed([first.id, second.id]);
    const error = await errorOf(driver.create(wish(), options), subject.secrets);
    expect(error.code).toBe('quota');
    await driver.destroy(first.id, options);
    await listed([second.id]);
    await driver.create(wish(), options);
  });
}
