import { describe, expect, it } from 'vitest';
import type { JournalEntry } from '../../../src/journal/journal.js';
import { replay, ReplayError } from '../../../src/journal/replay/replay.js';
import { StepRecorder } from '../../../src/journal/replay/step-recorder.js';
import { failure, listing, uuid1, WorkerWorld, type WorldOptions } from '../../support/worker-world.js';

/** A worker whose steps are written down, as JSON brings them back. */
function recorded(options: WorldOptions = {}): { world: WorkerWorld; entries: () => JournalEntry[] } {
  const lines: string[] = [];
  const recorder = new StepRecorder();
  const world = new WorkerWorld({
    ...options,
    observe: (event, before, after, step) => {
      const entry = recorder.step(event, before, after, step);
      if (entry) lines.push(JSON.stringify(entry));
    },
  });
  lines.unshift(JSON.stringify(recorder.begun(world.actor.getSnapshot(), world.clock.now())));
  return { world, entries: () => lines.map((line) => JSON.parse(line) as JournalEntry) };
}

/** Boots, fails a probe, runs a container, is held and run again, idles, is destroyed, leaves. */
async function wholeLife(world: WorkerWorld): Promise<void> {
  world.boot = () => failure;
  await world.probe();
  await world.probe();
  world.boot = () => ({ ok: true });
  await world.send({ type: 'connection.established' });
  await world.send({ type: 'connection.verified' });
  await world.probe();
  await world.assign(uuid1);
  await world.clock.advance(5_000);
  world.list = () => listing({ live: [uuid1] });
  await world.probe();
  await world.send({ type: 'container.kill', uuid: uuid1, because: 'asked for' });
  world.list = () => listing();
  await world.probe();
  await world.send({ type: 'operator.hold', because: 'to look at it' });
  await world.send({ type: 'operator.run', because: 'seen enough' });
  await world.clock.advance(60_000);
  await world.send({ type: 'instance.missing' });
}

describe('replay', () => {
  it('makes every step of a whole life again, with the same outcome and the same guards', async () => {
    const { world, entries } = recorded({ address: '' });
    const { instance } = world.actor.getSnapshot().context;
    await world.send({ type: 'instance.listed', instance: { ...instance, address: '10.0.0.1' } });
    await wholeLife(world);
    const { steps } = replay('i-1', entries());
    expect(steps.flatMap(({ event, differences }) => differences.map((each) => [event.type, each]))).toEqual(
      [],
    );
    const lights = steps.map(({ after }) => after.find((path) => /^lifecycle\.\w+$/.test(path)));
    expect([...new Set(lights)]).toEqual([
      'lifecycle.booting',
      'lifecycle.idle',
      'lifecycle.running',
      'lifecycle.shutdown',
      'lifecycle.gone',
    ]);
    const idled = steps.find(({ event }) => event.type.startsWith('xstate.after.idleTimeout'))!;
    expect(idled).toMatchObject({ matches: true, guards: { isNotHeld: true } });
    expect(idled.before).toContain('lifecycle.idle');
    expect(idled.after).toContain('lifecycle.shutdown.destroying');
    expect(idled.actions).toEqual(expect.arrayContaining(['decideBoot', 'noteShutdown']));
  });

  it('leaves out probes that found all as it was, and says how many', async () => {
    const { world, entries } = recorded();
    await world.probe();
    const before = entries().length;
    for (let round = 0; round < 10; round++) await world.probe();
    expect(entries()).toHaveLength(before);
    await world.send({ type: 'operator.drain', because: 'old' });
    const { steps } = replay('i-1', entries());
    expect(steps.find(({ event }) => event.type === 'operator.drain')).toMatchObject({ skipped: 20 });
  });

  it('says where a recorded outcome differs from what the machine does', async () => {
    const { world, entries } = recorded();
    await world.probe();
    await world.send({ type: 'operator.hold', because: 'x' });
    const changed = entries().map((entry) => {
      if (entry.event !== 'operator.hold') return entry;
      const text = JSON.stringify(entry).replace('"idleBehavior":"hold"', '"idleBehavior":"drain"');
      return JSON.parse(text) as JournalEntry;
    });
    const step = replay('i-1', changed).steps.find(({ event }) => event.type === 'operator.hold')!;
    expect(step.matches).toBe(false);
    expect(step.differences).toContainEqual({
      what: 'state.idleBehavior',
      recorded: 'drain',
      replayed: 'hold',
    });
  });

  it('refuses a story without its beginning', async () => {
    const { world, entries } = recorded();
    await world.probe();
    const headless = entries().filter(({ kind }) => kind !== 'worker.begun');
    expect(() => replay('i-1', headless)).toThrow(ReplayError);
  });

  it('goes on after lost entries, and from the middle of a story, with the next whole record', async () => {
    const { world, entries } = recorded();
    await world.probe();
    for (let order = 0; order < 40; order++)
      await world.send({
        type: order % 2 === 0 ? 'operator.hold' : 'operator.run',
        because: `order ${order}`,
      });
    const [begun, ...steps] = entries() as [JournalEntry, ...JournalEntry[]];
    expect(replay('i-1', [begun, ...steps]).steps).toHaveLength(steps.length);
    for (const kept of [steps.slice(5), [...steps.slice(0, 5), ...steps.slice(6)]]) {
      const made = replay('i-1', [begun, ...kept]).steps;
      expect(made.map(({ matches }) => matches)).not.toContain(false);
      expect(made.length).toBeGreaterThan(20);
      expect(made.length).toBeLessThan(kept.length);
    }
  });

  it('writes a worker down whole again after a while, so that a late story can be replayed', async () => {
    const { world, entries } = recorded();
    await world.probe();
    await world.send({ type: 'operator.hold', because: 'a' });
    await world.clock.advance(300_000);
    const before = entries().length;
    await world.send({ type: 'operator.run', because: 'b' });
    const late = entries().slice(before);
    expect(replay('i-1', [entries()[0]!, ...late]).steps).toHaveLength(late.length);
  });

  it('cuts long texts and still makes the step again', async () => {
    const { world, entries } = recorded();
    world.boot = () => ({ ...failure, stdout: 'x'.repeat(100_000), stderr: 'y'.repeat(100_000) });
    await world.probe();
    expect(JSON.stringify(entries()).length).toBeLessThan(20_000);
    expect(replay('i-1', entries()).steps.map(({ matches }) => matches)).not.toContain(false);
  });
});
