import { describe, expect, it } from 'vitest';
import { uuidOf } from '../../support/fake-controller.js';
import { controllerWorld } from './world.js';

describe('the containers of a controller in our own API', () => {
  it('refuses what is for the owner to do there, and says so', async () => {
    const { queue } = await controllerWorld();
    const refusals = [queue.submit([]), queue.setPriority(), queue.output()];
    for (const refusal of refusals)
      await expect(refusal).rejects.toMatchObject({
        code: 'unsupported',
        message: /controller\.url, so .* there$/,
      });
  });

  it('lists page by page what the dispatcher deals with', async () => {
    const { controller, queue, state } = await controllerWorld();
    for (const n of [1, 2, 3]) controller.add(n);
    await queue.update();
    await queue.lock(uuidOf(2));
    const first = await queue.list({ limit: 2 });
    expect(first.items.map(({ uuid, state }) => [uuid, state])).toEqual([
      [uuidOf(1), 'Queued'],
      [uuidOf(2), 'Locked'],
    ]);
    const { items, next } = await queue.list({ limit: 2, after: first.next });
    expect([items.map(({ uuid }) => uuid), next]).toEqual([[uuidOf(3)], undefined]);
    const locked = await queue.list({ limit: 2, states: ['Locked'] });
    expect(locked.items.map(({ uuid }) => uuid)).toEqual([uuidOf(2)]);
    expect(await queue.counts()).toEqual({ Queued: 2, Locked: 1, Running: 0, Complete: 0, Cancelled: 0 });
    await expect(queue.list({ limit: 2, name: 'x' })).rejects.toMatchObject({ code: 'unsupported' });
    state.isFollowing = false;
    await expect(queue.list({ limit: 2 })).rejects.toThrow('another one follows');
  });

  it('finds any container there by its id', async () => {
    const { controller, queue } = await controllerWorld();
    controller.add(7, {
      state: 'Complete',
      lock_count: 3,
      runtime_status: { error: 'out of memory', warning: 'w' },
    });
    expect(await queue.find(uuidOf(7))).toMatchObject({
      state: 'Complete',
      error: 'out of memory',
      lockCount: 3,
    });
    expect(await queue.find(uuidOf(8))).toBeUndefined();
    controller.fault = () => 500;
    await expect(queue.find(uuidOf(7))).rejects.toMatchObject({ code: 'unavailable' });
  });
});
