import { describe, expect, it } from 'vitest';
import type { Container } from '../../src/domain/container.js';
import { QueueCache, type Misfit } from '../../src/queue/queue-cache.js';
import { QueueError } from '../../src/queue/queue.js';
import { container, typeT } from '../support/scheduling-world.js';
import { deferred } from '../support/worker-world.js';

const needs = { vcpus: 1, ramBytes: 0, scratchBytes: 0, gpus: 0, gpuVramBytes: 0 };
const [c1, c2, c3] = [1, 2, 3].map((n) => container(n, { state: 'Queued' })) as [
  Container,
  Container,
  Container,
];

async function* only(containers: readonly Container[]): AsyncGenerator<readonly Container[]> {
  if (containers.length > 0) yield await Promise.resolve(containers);
}

/** A cache whose next answer the test decides. */
function world() {
  const state = {
    now: 1_000,
    listed: [] as Container[],
    isComplete: true,
    misfits: [] as Misfit[],
    fits: true,
    fetch: () => Promise.resolve({ batches: only(state.listed), isComplete: state.isComplete }),
  };
  const cache = new QueueCache({
    fetch: () => state.fetch(),
    size: () => (state.fits ? { needs, instanceTypes: [typeT(1)] } : { needs, unsatisfiable: 'too large' }),
    turn: () => Promise.resolve(),
    now: () => state.now,
    onMisfits: (misfits) => void state.misfits.push(...misfits),
    onFault: (_uuid, error) => expect.fail(String(error)),
  });
  return { state, cache };
}

describe('an update of the queue', () => {
  it('never undoes a change made while it was on its way (T-5, Q-13, Q-16)', async () => {
    const { state, cache } = world();
    state.listed = [c1];
    await cache.update();
    const answer = deferred<Awaited<ReturnType<typeof state.fetch>>>();
    state.fetch = () => answer.promise;
    const updating = cache.update();
    await Promise.resolve();
    cache.changed(c1.uuid, { state: 'Locked' });
    answer.resolve({ batches: only([c1]), isComplete: true });
    await updating;
    expect(cache.get(c1.uuid)?.container.state).toBe('Locked');
  });

  it('never drops what was changed while it was on its way (T-6, Q-14)', async () => {
    const { state, cache } = world();
    state.listed = [c1, c2];
    await cache.update();
    const answer = deferred<Awaited<ReturnType<typeof state.fetch>>>();
    state.fetch = () => answer.promise;
    const updating = cache.update();
    await Promise.resolve();
    cache.changed(c1.uuid, { state: 'Locked' });
    answer.resolve({ batches: only([]), isComplete: true });
    await updating;
    expect([...cache.snapshot().entries.keys()]).toEqual([c1.uuid]);
  });

  it('takes the newer record over and keeps age and types (T-7, Q-13, Q-27)', async () => {
    const { state, cache } = world();
    state.listed = [{ ...c1, state: 'Locked' }];
    await cache.update();
    const before = cache.get(c1.uuid)!;
    state.now = 9_000;
    state.fits = false;
    state.listed = [{ ...c1, state: 'Running' }];
    await cache.update();
    const { firstSeenAt, instanceTypes, container: record } = cache.get(c1.uuid)!;
    expect([record.state, firstSeenAt, instanceTypes]).toEqual([
      'Running',
      before.firstSeenAt,
      before.instanceTypes,
    ]);
  });

  it('is as fresh as its beginning (T-8, Q-4)', async () => {
    const { state, cache } = world();
    expect(cache.snapshot().threshold).toBe(0);
    state.fetch = () => {
      state.now = 5_000;
      return Promise.resolve({ batches: only([c1]), isComplete: true });
    };
    await cache.update();
    expect(cache.snapshot().threshold).toBe(1_000);
  });

  it('changes nothing and tells nobody when any part of it fails (T-9, T-13, Q-12, Q-35)', async () => {
    const { state, cache } = world();
    state.listed = [c1];
    await cache.update();
    await Promise.resolve();
    let told = 0;
    cache.subscribe(() => told++);
    state.now = 2_000;
    const faulty = async function* (): AsyncGenerator<readonly Container[]> {
      yield await Promise.resolve([c2]);
      throw new QueueError('unavailable', 'the third call failed');
    };
    state.fetch = () => Promise.resolve({ batches: faulty(), isComplete: true });
    await expect(cache.update()).rejects.toMatchObject({ code: 'unavailable' });
    await Promise.resolve();
    const { entries, threshold } = cache.snapshot();
    expect([[...entries.keys()], threshold, told]).toEqual([[c1.uuid], 1_000, 0]);
  });

  it('keeps what is still there with priority 0, and drops what is not there any more (T-10, T-12, Q-33, Q-34)', async () => {
    const { state, cache } = world();
    state.listed = [c1, c2];
    await cache.update();
    state.listed = [{ ...c1, priority: 0n }];
    await cache.update();
    expect([...cache.snapshot().entries.values()].map((entry) => entry.container.priority)).toEqual([0n]);
  });

  it('leaves out what can never run, unless it runs, and says why (T-17, T-21, Q-23, W-2)', async () => {
    const { state, cache } = world();
    state.fits = false;
    state.listed = [c1, { ...c2, state: 'Running' }];
    await cache.update();
    expect([...cache.snapshot().entries.keys()]).toEqual([c2.uuid]);
    expect(cache.get(c2.uuid)?.instanceTypes).toEqual([]);
    expect(state.misfits.map((misfit) => [misfit.container.uuid, misfit.reason])).toEqual([
      [c1.uuid, 'too large'],
    ]);
    // As long as its owner does not cancel it, every update asks again.
    await cache.update();
    expect(state.misfits).toHaveLength(2);
  });

  it('tells a slow listener once of many (T-23, Q-8)', async () => {
    const { state, cache } = world();
    let told = 0;
    cache.subscribe(() => told++);
    state.listed = [c1];
    await cache.update();
    await Promise.resolve();
    told = 0;
    for (let each = 0; each < 10; each++) cache.changed(c1.uuid, { priority: BigInt(each) });
    await Promise.resolve();
    expect(told).toBe(1);
  });

  it('lists in the order of age, and of equal age by id, so that a pass need not sort (SC-12, W-6)', async () => {
    const { state, cache } = world();
    state.listed = [c3];
    await cache.update();
    state.isComplete = false;
    state.listed = [c2, c1];
    await cache.update();
    expect([...cache.peek().entries.keys()]).toEqual([c3.uuid, c1.uuid, c2.uuid]);
    const ages = [...cache.peek().entries.values()].map(({ firstSeenAt }) => firstSeenAt);
    expect(ages).toEqual([...ages].sort((a, b) => a - b));
  });

  it('tells once what came, went or changed, and nothing of it when it may be anything', async () => {
    const { state, cache } = world();
    const taken = (): string[] | undefined => {
      const changes = cache.takeChanges();
      return changes && [...changes].sort();
    };
    expect(taken()).toBeUndefined();
    state.listed = [c1, c2, { ...c3, priority: 0n }];
    await cache.update();
    expect(taken()).toBeUndefined();
    expect(taken()).toEqual([]);
    cache.changed(c1.uuid, { state: 'Locked' });
    cache.drop([c2.uuid]);
    cache.forget(c3.uuid);
    expect(taken()).toEqual([c1.uuid, c2.uuid, c3.uuid]);
    state.isComplete = false;
    state.listed = [c2];
    await cache.update();
    expect(taken()).toEqual([c2.uuid]);
    await cache.absorb(Array.from({ length: 10_001 }, (_, index) => container(index, { state: 'Queued' })));
    expect(taken()).toBeUndefined();
    expect(taken()).toEqual([]);
  });

  it('gives copies to those who keep them, and none to those who only look (Q-4)', async () => {
    const { state, cache } = world();
    state.listed = [c1];
    await cache.update();
    const [kept, looked] = [cache.snapshot(), cache.peek()];
    cache.changed(c1.uuid, { state: 'Locked' });
    expect([kept, cache.peek()].map(({ entries }) => entries.get(c1.uuid)?.container.state)).toEqual([
      'Queued',
      'Locked',
    ]);
    expect(looked.entries.get(c1.uuid)?.container.state).toBe('Queued');
  });
});
