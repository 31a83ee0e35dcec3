import { describe, expect, it } from 'vitest';
import { instanceBody } from '../../src/api/wire.js';
import { describeWorker } from '../../src/journal/explain/describe-worker.js';
import { viewOfWorker } from '../../src/fleet/worker-views.js';
import { failure, listing, uuid1, uuid2, WorkerWorld } from '../support/worker-world.js';
import type { RunProbeOutcome } from '../../src/machines/worker-effects.js';

const inBoot = (bootId: string, live: string[] = []): RunProbeOutcome => ({
  ...(listing({ live }) as RunProbeOutcome & { ok: true }),
  bootId,
});
const gone: RunProbeOutcome = { ...failure, code: 'exit', exitCode: 127, durationMs: 1 };

const isBeingSetUp = (world: WorkerWorld): boolean | undefined =>
  viewOfWorker(world.actor.getSnapshot()).isBeingSetUp;

async function inService(): Promise<WorkerWorld> {
  const world = new WorkerWorld();
  world.list = () => inBoot('a', [uuid1]);
  await world.probe();
  world.orders.length = 0;
  world.facts.length = 0;
  return world;
}

describe('an instance in service whose runner program is gone', () => {
  it('is set up anew by a round that does not wait for its turn, and takes nothing before it passed', async () => {
    const world = await inService();
    world.list = () => gone;
    await world.probe();
    expect(world.facts.map(({ type }) => type)).toContain('probe.wanted');
    expect([world.state, isBeingSetUp(world)]).toEqual(['running', true]);
    await world.assign(uuid2);
    expect(world.runners).toEqual([uuid1]);
    world.list = () => inBoot('a', [uuid1]);
    await world.probe();
    expect(world.orders).toEqual(['list', 'boot', 'copy', 'list']);
    expect([world.state, isBeingSetUp(world)]).toEqual(['running', false]);
    await world.assign(uuid2);
    expect(world.runners).toEqual([uuid1, uuid2]);
  });

  it('is set up anew at the usual pace when the first time did not help', async () => {
    const world = await inService();
    world.list = () => gone;
    for (let round = 0; round < 4; round++) await world.probe();
    expect(world.facts.filter(({ type }) => type === 'probe.wanted')).toHaveLength(1);
    expect(world.actor.getSnapshot().context.lastFailure?.message).toContain('not there any more');
  });
});

describe('an instance that rebooted', () => {
  it('is set up anew before what it lists is believed; then what it does not list is lost', async () => {
    const world = await inService();
    world.list = () => inBoot('b');
    await world.probe();
    expect([isBeingSetUp(world), world.exits()]).toEqual([true, []]);
    const snapshot = world.actor.getSnapshot();
    expect(snapshot.context.lastFailure?.message).toBe('the instance rebooted');
    expect(instanceBody(viewOfWorker(snapshot))).toMatchObject({ isBeingSetUp: true });
    const facts = { snapshot, chart: undefined, now: 0, entered: undefined };
    expect(describeWorker(facts).join(' ')).toContain(
      'It is being set up again after a reboot: no container starts on it',
    );
    await world.probe();
    expect(world.orders.slice(0, 4)).toEqual(['list', 'boot', 'copy', 'list']);
    expect([isBeingSetUp(world), world.runners, world.exits()]).toEqual([false, [], [uuid1]]);
  });

  it('is not suspected where the host tells no boot', async () => {
    const world = await inService();
    world.list = () => listing({ live: [uuid1] });
    await world.probe();
    expect([isBeingSetUp(world), world.runners]).toEqual([false, [uuid1]]);
  });
});
