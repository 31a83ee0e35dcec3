import { expect, it } from 'vitest';
import { lag, options, wrapped, type ContractWorld } from './fixtures.js';

/** The driver comes and goes; instances stay. */
export function restartCases(world: ContractWorld, canReopen: boolean): void {
  it('can be stopped twice (DI-9)', async () => {
    const { driver, wish } = world;
    await driver.create(wish(), options);
    await driver.stop();
    await driver.stop();
  });

  if (!canReopen) return;
  it('finds its instances after a restart, with their tags, and destroys them (DI-3, DI-9)', async () => {
    const { driver, wish, subject, find } = world;
    const order = wish({ tags: { a: '1' } });
    const made = await driver.create(order, options);
    await find(made.id);
    await driver.setTags(made.id, { a: '2', b: '1' }, options);
    await driver.stop();
    if (!subject.reopen)
      expect.fail('the subject cannot be opened again: write it, or say why under "without"');
    const next = wrapped(await subject.reopen());
    const list = () => next.list({}, options);
    await expect.poll(list, lag).toMatchObject([{ id: made.id, tags: { a: '2', b: '1' } }]);
    const expected = { providerType: order.instanceType.providerType };
    await expect.poll(async () => (await list())[0], lag).toMatchObject(expected);
    expect((await next.create(order, options)).id).toBe(made.id);
    await next.destroy(made.id, options);
    await expect.poll(list, lag).toEqual([]);
  });
}
