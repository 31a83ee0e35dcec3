import { createActor, type EventObject } from 'xstate';
import { fromCallback, setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import { parseWatchLine, watchWith } from '../../src/actors/watch.js';
import { settle } from '../../src/simulation/heap-clock.js';
import { ExecutorError } from '../../src/ssh/executor.js';
import { EffectsWorld } from '../support/effects-world.js';
import { uuid1, uuid2 } from '../support/worker-world.js';

const silenceMs = 60_000;

/** The watch as a child of a machine that keeps what it hears. */
async function watching(world: EffectsWorld, deploy = 'built-in') {
  const heard: EventObject[] = [];
  const { executors, clock } = world;
  const runner = world.runner({ deploy });
  if (runner.isDeployed) await runner.load();
  const logic = watchWith({ executors, runner, clusterId: 'zzzzz', silenceMs, clock });
  const parent = createActor(
    setup({ actors: { watch: fromCallback<EventObject, { instanceId: string }>(() => {}) } })
      .createMachine({
        on: { '*': { actions: ({ event }) => void heard.push(event) } },
        invoke: { src: 'watch', input: { instanceId: 'i-1' } },
      })
      .provide({ actors: { watch: logic } }),
    { clock: clock },
  );
  parent.start();
  await settle();
  return { heard, parent, channel: world.host.channels[0]! };
}

function ready(): EffectsWorld {
  const world = new EffectsWorld();
  world.add({ remoteUser: 'ubuntu' });
  return world;
}

describe('a watch', () => {
  it('tells what happens as it happens', async () => {
    const world = ready();
    const { heard, channel } = await watching(world);
    expect(world.host.commands).toEqual([
      expect.stringMatching(/^sudo \/var\/lib\/arvados\/crunch-run~\w{32} --watch$/),
    ]);
    channel.say(
      'attached',
      `started ${uuid1}`,
      'alive',
      `ended ${uuid1}`,
      'interruption terminate at noon',
      'broken',
    );
    await settle();
    expect(heard).toEqual([
      { type: 'watch.attached' },
      { type: 'watch.started', uuid: uuid1 },
      { type: 'watch.ended', uuid: uuid1 },
      { type: 'watch.interruption', notice: 'terminate at noon' },
      { type: 'watch.broken' },
    ]);
  });

  it('tells that a runner of another make cannot be watched, and sends it nothing', async () => {
    const world = ready();
    const { heard } = await watching(world, '');
    expect(heard).toEqual([
      { type: 'watch.closed', supported: false, message: expect.any(String) as string },
    ]);
    expect([world.host.commands, world.clock.pending]).toEqual([[], 0]);
  });

  it.each([
    ['the program does not know the flag', new ExecutorError('exit', 'usage', { exitCode: 2 }), false],
    ['the program fails', new ExecutorError('exit', 'no fifo', { exitCode: 1 }), true],
    ['the connection breaks', new ExecutorError('closed', 'lost'), true],
    ['the program ends by itself', undefined, true],
  ])('tells its end when %s, once, and never fails', async (_, error, supported) => {
    const world = ready();
    const { heard, channel, parent } = await watching(world);
    channel.end(error);
    await settle();
    expect(heard).toMatchObject([{ type: 'watch.closed', supported }]);
    expect([parent.getSnapshot().status, world.clock.pending]).toEqual(['active', 0]);
    await world.clock.advance(10 * silenceMs);
    expect(heard).toHaveLength(1);
  });

  it.each([
    ['nobody answers', (world: EffectsWorld) => world.network.unplug('10.0.0.1:22')],
    ['the instance is gone', (world: EffectsWorld) => world.executors.remove('i-1')],
  ])('tells its end when %s', async (_, happen) => {
    const world = ready();
    happen(world);
    const { heard } = await watching(world);
    expect(heard).toMatchObject([{ type: 'watch.closed', supported: true }]);
  });

  it('is given up when nothing is heard for too long, and any line counts (K-3)', async () => {
    const world = ready();
    const { heard, channel } = await watching(world);
    channel.say('attached');
    for (let beat = 0; beat < 5; beat++) {
      await world.clock.advance(silenceMs - 1);
      channel.say('alive');
      await settle();
    }
    expect(heard).toHaveLength(1);
    await world.clock.advance(silenceMs);
    expect(heard[1]).toMatchObject({ type: 'watch.closed', supported: true });
    expect([channel.isClosed, world.clock.pending]).toEqual([true, 0]);
  });

  it('is given up when the connection is never made (K-3)', async () => {
    const world = ready();
    world.driver.hold('verifyHostKey');
    const { heard } = await watching(world);
    await world.clock.advance(silenceMs);
    expect(heard).toMatchObject([{ type: 'watch.closed', supported: true }]);
  });

  it('closes its channel and falls silent when it is stopped', async () => {
    const world = ready();
    const { heard, channel, parent } = await watching(world);
    parent.stop();
    channel.say(`started ${uuid1}`);
    await settle();
    expect([heard, channel.isClosed, world.clock.pending]).toEqual([[], true, 0]);
  });
});

describe('a line of the watch', () => {
  it.each([
    '',
    'alive',
    'started',
    `started ${uuid1} ${uuid2}`,
    `started  ${uuid1}`,
    'started zzzzz-dz642-$(reboot)00000',
    'started aaaaa-dz642-000000000000001',
    `stopped ${uuid1}`,
    '\0',
    'x'.repeat(100_000),
  ])('means nothing when it is %j', (line) => {
    expect(parseWatchLine(line, 'zzzzz')).toBeUndefined();
  });

  it('may name the attempt of the container', () => {
    const uuid = 'zzzzz-dz642-000000000000001';
    expect(parseWatchLine(`started ${uuid} 3`, 'zzzzz')).toEqual({ type: 'watch.started', uuid, attempt: 3 });
    expect(parseWatchLine(`ended ${uuid} 12`, 'zzzzz')).toEqual({ type: 'watch.ended', uuid, attempt: 12 });
    for (const odd of ['0', 'x', '-1', '1 2', '1'.repeat(30)])
      expect(parseWatchLine(`ended ${uuid} ${odd}`, 'zzzzz')).toBeUndefined();
  });

  it('has its notice cut to a length a page can show', () => {
    const event = parseWatchLine(`interruption ${'x'.repeat(5_000)}`, 'zzzzz');
    expect(event).toEqual({ type: 'watch.interruption', notice: 'x'.repeat(300) });
  });
});
