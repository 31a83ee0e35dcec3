import { expect, it } from 'vitest';
import { lag, options, type ContractWorld } from './fixtures.js';

/** Create, list and destroy. */
export function lifeCases(world: ContractWorld): void {
  it('lists what it created, with all its tags and its type (DI-6, DI-7)', async () => {
    const { driver, wish, listed, find } = world;
    const order = wish({ tags: { InstanceSetID: 'set', InstanceType: 'small', 'key:1': 'a b=c, "d"/é' } });
    const made = await driver.create(order, options);
    expect(made.id).not.toBe('');
    expect(made.tags).toMatchObject(order.tags);
    await listed([made.id]);
    const expected = { id: made.id, providerType: order.instanceType.providerType, tags: order.tags };
    await expect.poll(() => find(made.id), lag).toMatchObject(expected);
    expect((await find(made.id)).remoteUser).not.toBe('');
  });

  it('lists by tag: only instances that have it (DI-7, DD-5)', async () => {
    const { driver, wish, listed } = world;
    const [one, other] = await Promise.all([
      driver.create(wish({ tags: { InstanceSetID: 'set' } }), options),
      driver.create(wish({ tags: { InstanceSetID: 'another' } }), options),
    ]);
    await listed([one.id, other.id]);
    const of = async (set: string) =>
      (await driver.list({ InstanceSetID: set }, options)).map(({ id }) => id);
    expect(await of('set')).toEqual([one.id]);
    expect(await of('another')).toEqual([other.id]);
    expect(await of('a third')).toEqual([]);
  });

  it('gives each instance an address in the end, and an id of its own (DI-10)', async () => {
    const { driver, wish, ids } = world;
    await Promise.all([driver.create(wish(), options), driver.create(wish(), options)]);
    const addresses = async (): Promise<string[]> =>
      (await driver.list({}, options)).map(({ address }) => address);
    await expect.poll(async () => new Set((await addresses()).filter(Boolean)).size, lag).toBe(2);
    expect(new Set(await ids()).size).toBe(2);
  });

  it('makes one instance of one wish, however often it is told, also at once', async () => {
    const { driver, wish, listed } = world;
    const order = wish();
    const [first, second] = await Promise.all([driver.create(order, options), driver.create(order, options)]);
    const third = await driver.create(order, options);
    expect([second.id, third.id]).toEqual([first.id, first.id]);
    await listed([first.id]);
    const another = await driver.create(wish(), options);
    expect(another.id).not.toBe(first.id);
  });

  it('destroys once and again, and what was never there (DI-10)', async () => {
    const { driver, wish, listed } = world;
    const { id } = await driver.create(wish(), options);
    const kept = await driver.create(wish(), options);
    await Promise.all([driver.destroy(id, options), driver.destroy(id, options)]);
    await listed([kept.id]);
    await driver.destroy(id, options);
    await driver.destroy('i-0123456789abcdef0', options);
    await listed([kept.id]);
  });

  it('destroys what has no address yet', async () => {
    const { driver, wish, listed } = world;
    const { id } = await driver.create(wish(), options);
    await driver.destroy(id, options);
    await listed([]);
  });

  it('hands out snapshots: changing one changes nothing (D-23)', async () => {
    const { driver, wish, find } = world;
    const { id } = await driver.create(wish({ tags: { a: '1' } }), options);
    const first = await find(id);
    (first.tags as Record<string, string>)['a'] = 'changed';
    expect((await find(id)).tags).toEqual({ a: '1' });
  });

  it('serves calls of all kinds at once (DI-5)', async () => {
    const { driver, wish, listed, find } = world;
    const { id } = await driver.create(wish({ tags: { a: '0' } }), options);
    await find(id);
    const [, , made] = await Promise.all([
      driver.setTags(id, { a: '1' }, options),
      driver.list({}, options),
      driver.create(wish({ tags: { b: '1' } }), options),
      driver.list({}, options),
    ]);
    await listed([id, made.id]);
    await expect.poll(async () => (await find(id)).tags, lag).toEqual({ a: '1' });
    await Promise.all([driver.destroy(id, options), driver.destroy(made.id, options)]);
    await listed([]);
  });
}
