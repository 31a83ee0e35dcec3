import { describe, expect, it } from 'vitest';
import { secretFingerprint } from '../../src/domain/ids.js';
import { PoolWorld } from '../support/pool-world.js';
import { typeT } from '../support/scheduling-world.js';
import { listing } from '../support/worker-world.js';

const t1 = typeT(1);
const silent = () => ({
  ok: false as const,
  code: 'refused',
  message: 'refused',
  stdout: '',
  stderr: '',
  expected: true,
  durationMs: 1,
});
const tags = (secret: string) => ({
  LongshoreInstanceType: 't1',
  LongshoreIdleBehavior: 'run',
  LongshoreInstanceSecret: secret,
});

/** One instance this set asked for, and one it did not; neither answers until told otherwise. */
async function twoFound(change: { removesOrphans?: boolean } = {}): Promise<PoolWorld> {
  const world = new PoolWorld({ types: [t1], recorded: new Map([['sha256:ours', 5]]), ...change });
  world.probe = silent;
  world.add('ours', t1, { tags: tags('sha256:ours') });
  world.add('theirs', t1, { tags: tags('sha256:theirs') });
  return world.start();
}

/** Long enough for a boot to fail. */
async function overdue(world: PoolWorld): Promise<void> {
  await world.clock.advance(60_000);
  for (const id of ['ours', 'theirs']) await world.visit(id);
}

describe('an instance of this set that never answers', () => {
  it('is destroyed when it was asked for, and only reported when nobody recorded that', async () => {
    const world = await twoFound();
    expect([world.pool.hasUnknownWorkers(), world.pool.instance('ours')?.createdAt]).toEqual([true, 5]);
    await overdue(world);
    expect(world.destroyed).toEqual(['ours']);
    const view = world.pool.instance('theirs')!;
    expect([view.isOrphan, view.workerState, world.pool.hasUnknownWorkers()]).toEqual([
      true,
      'unknown',
      false,
    ]);
    await world.clock.advance(86_400_000);
    expect(world.destroyed).toEqual(['ours']);
  });

  it('is destroyed after a grace time where the operator allows that', async () => {
    const world = await twoFound({ removesOrphans: true });
    await overdue(world);
    await world.clock.advance(599_000);
    expect(world.destroyed).toEqual(['ours']);
    await world.clock.advance(1_000);
    expect(world.destroyed).toEqual(['ours', 'theirs']);
  });

  it('is spared while on hold, and goes when that ends', async () => {
    const world = await twoFound({ removesOrphans: true });
    world.pool.setIdleBehavior('theirs', 'hold', 'test');
    await overdue(world);
    await world.clock.advance(3_600_000);
    expect(world.destroyed).toEqual(['ours']);
    world.pool.setIdleBehavior('theirs', 'run', 'test');
    await overdue(world);
    await world.clock.advance(600_000);
    expect(world.destroyed).toEqual(['ours', 'theirs']);
  });

  it('is taken into service when it answers after all', async () => {
    const world = await twoFound();
    await overdue(world);
    world.probe = () => listing();
    await world.visit('theirs');
    expect(world.pool.instance('theirs')).toMatchObject({ workerState: 'idle', isOrphan: false });
  });

  it.each(['drain', 'kill'] as const)('goes at the order to %s', async (order) => {
    const world = await twoFound();
    await overdue(world);
    if (order === 'kill') world.pool.killInstance('theirs', 'test');
    else world.pool.setIdleBehavior('theirs', order, 'test');
    await world.clock.advance(0);
    expect(world.destroyed).toEqual(['ours', 'theirs']);
  });

  it.each([
    ['the fingerprint of its secret', secretFingerprint],
    ['its secret itself', (secret: string) => secret],
  ])(
    'is not taken for an orphan when its tag holds %s and the answer was never heard',
    async (_what, tagOf) => {
      const world = new PoolWorld({ types: [t1], recorded: new Map() });
      world.probe = silent;
      world.answer = ({ secret }) => {
        world.add('late', t1, { tags: tags(tagOf(secret)) });
        const error = { code: 'unavailable' as const, message: 'not answered within 300000 ms' };
        return Promise.resolve({ ok: false, error });
      };
      await world.start();
      world.pool.create(t1, 'wanted');
      await world.sync();
      expect(world.pool.instance('late')?.workerState).toBe('unknown');
      await world.clock.advance(60_000);
      await world.visit('late');
      expect(world.destroyed).toEqual(['late']);
    },
  );
});
