import { expect, it } from 'vitest';
import type { JournalEntry } from '../../../src/journal/journal.js';
import { replay } from '../../../src/journal/replay/replay.js';
import { StepRecorder } from '../../../src/journal/replay/step-recorder.js';
import { listing, WorkerWorld } from '../../support/worker-world.js';

const count = 100;
const ids = Array.from({ length: count }, (_, index) => `zzzzz-dz642-${String(index).padStart(15, '0')}`);

it('takes less than 1,500 characters for what becomes of one of 100 containers, but for each twentieth step, and replays', async () => {
  const lines: string[] = [];
  const recorder = new StepRecorder();
  const world = new WorkerWorld({
    observe: (event, before, after, step) => {
      const entry = recorder.step(event, before, after, step);
      if (entry) lines.push(JSON.stringify(entry));
    },
  });
  lines.unshift(JSON.stringify(recorder.begun(world.actor.getSnapshot(), world.clock.now())));
  await world.send({ type: 'connection.established' });
  await world.send({ type: 'connection.verified' });
  world.list = () => listing({ live: ids });
  await world.probe();
  const from = lines.length;
  for (const uuid of ids.slice(0, 40)) await world.send({ type: 'watch.ended', uuid });
  const steps = lines.slice(from).map((line) => JSON.parse(line) as JournalEntry);
  expect(steps.length).toBeGreaterThanOrEqual(40);
  const chained = steps.filter(({ data }) => (data as { follows: number }).follows > 0);
  expect(chained.length).toBeGreaterThan(steps.length * 0.9);
  expect(Math.max(...chained.map((step) => JSON.stringify(step).length))).toBeLessThan(1_500);
  const all = lines.map((line) => JSON.parse(line) as JournalEntry);
  const made = replay('i-1', all).steps;
  expect(made.flatMap(({ differences }) => differences)).toEqual([]);
  expect(Object.keys(made.at(-1)!.facts['runners'] as object).length).toBeLessThanOrEqual(count);
});
