import { describe, expect, it } from 'vitest';
import { activePaths } from '../../src/machines/inspection/active-states.js';
import type { JournalEntry } from '../../src/journal/journal.js';
import { startReplayInspector, stateValueOf } from '../../src/inspector/replay-inspector.js';
import { replay, type Replay } from '../../src/journal/replay/replay.js';
import { StepRecorder } from '../../src/journal/replay/step-recorder.js';
import { Viewer } from '../support/viewer.js';
import { uuid1, WorkerWorld } from '../support/worker-world.js';

/** A worker that boots, runs a container, is held, and leaves. */
async function recordedLife(): Promise<Replay> {
  const entries: JournalEntry[] = [];
  const recorder = new StepRecorder();
  const world: WorkerWorld = new WorkerWorld({
    tags: { LongshoreInstanceSecret: 'bare-secret' },
    observe: (event, before, after, step) => {
      const entry = recorder.step(event, before, after, step);
      if (entry) entries.push(JSON.parse(JSON.stringify(entry)) as JournalEntry);
    },
  });
  entries.unshift(recorder.begun(world.actor.getSnapshot(), world.clock.now()));
  await world.probe();
  await world.assign(uuid1);
  await world.send({ type: 'operator.hold', because: 'to look at it' });
  await world.send({ type: 'instance.missing' });
  return replay('i-1', entries);
}

describe('the replay in the inspector', () => {
  it('shows the worker, then each step with its event, state and facts', async () => {
    const story = await recordedLife();
    expect(story.steps.filter(({ matches }) => !matches)).toEqual([]);
    const inspector = await startReplayInspector(story, 0, () => {});
    inspector.show(story.steps.length - 1);
    const viewer = await Viewer.join(inspector.url);
    await expect.poll(() => viewer.stateOf('i-1', 'lifecycle')).toBe('gone');
    expect(viewer.actors()).toEqual(['i-1']);
    expect(JSON.parse(viewer.shown[0]!.definition!)).toMatchObject({ id: 'worker' });
    expect(viewer.eventsOf('i-1')).toEqual(story.steps.map(({ event }) => event.type));
    const snapshots = viewer.shown.filter(({ type }) => type === '@xstate.snapshot');
    const held = snapshots.find(({ event }) => event!.type === 'operator.hold')!.snapshot!;
    expect(held.value).toMatchObject({ lifecycle: 'running', idleBehavior: 'hold' });
    expect(held.context).toMatchObject({ idleBehavior: 'hold', bootOutcome: 'success' });
    expect(Object.keys(held.context!['runners'] as object)).toEqual([uuid1]);
    expect(viewer.texts.join('')).not.toContain('bare-secret');
    viewer.leave();
    await inspector.left;
    await inspector.close();
  });

  it('follows a person who steps to and fro', async () => {
    const story = await recordedLife();
    const inspector = await startReplayInspector(story, 0, () => {});
    const types = story.steps.map(({ event }) => event.type);
    inspector.show(0);
    const viewer = await Viewer.join(inspector.url);
    await expect.poll(() => viewer.eventsOf('i-1')).toEqual([types[0]]);
    inspector.show(2);
    inspector.show(1);
    const told = [types[0], types[1], types[2], types[1]];
    await expect.poll(() => viewer.eventsOf('i-1')).toEqual(told);
    viewer.leave();
    await inspector.close();
  });

  it('makes a state of the paths that are lit', () => {
    const values = [
      'idle',
      { lifecycle: 'idle', probe: 'resting' },
      { lifecycle: { booting: 'copied' }, tags: 'saved' },
      { alive: { process: { starting: 'seen' }, stop: { terminating: { beating: 'sent' } } } },
    ];
    for (const value of values) expect(stateValueOf(activePaths(value))).toEqual(value);
  });
});
