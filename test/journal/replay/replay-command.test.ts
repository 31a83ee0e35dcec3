import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Key } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram, type ProgramDeps } from '../../../src/cli/program.js';
import { StepThrough } from '../../../src/cli/replay-command.js';
import { startReplayInspector } from '../../../src/inspector/replay-inspector.js';
import { replayFile } from '../../../src/journal/replay/replay-file.js';
import type { Replay } from '../../../src/journal/replay/replay.js';
import { StepRecorder } from '../../../src/journal/replay/step-recorder.js';
import { Viewer } from '../../support/viewer.js';
import { uuid1, WorkerWorld } from '../../support/worker-world.js';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'longshore-replay-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The journal of a worker that boots, runs a container and is held. */
async function recordedLines(): Promise<string[]> {
  const lines: string[] = [];
  const recorder = new StepRecorder();
  const world: WorkerWorld = new WorkerWorld({
    observe: (event, before, after, step) => {
      const entry = recorder.step(event, before, after, step);
      if (entry) lines.push(JSON.stringify(entry));
    },
  });
  lines.unshift(JSON.stringify(recorder.begun(world.actor.getSnapshot(), world.clock.now())));
  await world.probe();
  await world.assign(uuid1);
  await world.send({ type: 'operator.hold', because: 'to look at it' });
  return lines;
}

function write(name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  return { code: await begin(argv, said), ...said };
}

function begin(argv: readonly string[], said: { out: string; err: string }): Promise<number> {
  const never = (): Promise<never> => Promise.reject(new Error('not asked for here'));
  const deps: ProgramDeps = {
    serve: never,
    machineChart: () => '',
    stores: { migrate: never, copy: never },
    replayFile,
    inspectReplay: startReplayInspector,
    offeredTypes: never,
    forecastParts: never,
    version: '0',
    output: { write: (text) => (said.out += text), error: (text) => (said.err += text), isTerminal: false },
    env: {},
  };
  return runProgram(argv, deps);
}

describe('longshore replay', () => {
  it('prints the steps of a journal, one a line, and exits with 0 when all come out the same', async () => {
    const path = write('whole.jsonl', await recordedLines());
    const { code, out, err } = await run('replay', path);
    expect([code, err]).toEqual([
      0,
      expect.stringMatching(/^i-1: \d+ steps replayed, all with the recorded result\n$/),
    ]);
    expect(out).toMatch(/container\.assigned: .*lifecycle idle → running/);
    expect(out).toMatch(/operator\.hold: .*idleBehavior run → hold/);
    const { steps } = JSON.parse((await run('replay', path, '--json')).out) as Replay;
    expect(out.trim().split('\n')).toHaveLength(steps.length);
    const full = (await run('replay', path, '--all')).out;
    expect(full).toContain(`step 1 of ${steps.length}`);
    expect(full).toContain('to look at it');
  });

  it('shows where a step comes out otherwise, and exits with 1', async () => {
    const lines = (await recordedLines()).map((line) =>
      line.includes('"event":"operator.hold"')
        ? line.replace('"idleBehavior":"hold"', '"idleBehavior":"drain"')
        : line,
    );
    const { code, out, err } = await run('replay', write('changed.jsonl', lines), '--all');
    expect([code, err]).toEqual([1, expect.stringContaining('1 with a different result')]);
    expect(out).toContain('state.idleBehavior: recorded "drain", now "hold"');
  });

  it('says what is wrong with a journal', async () => {
    const lines = await recordedLines();
    const other = lines.map((line) => line.replace('"instance":"i-1"', '"instance":"i-2"'));
    const fails = async (name: string, content: readonly string[], ...argv: string[]): Promise<string> => {
      const { code, err } = await run('replay', write(name, content), ...argv);
      expect(code).toBe(1);
      return err;
    };
    expect(await fails('no.jsonl', ['{"at":1}'])).toContain('line 1: this is no journal entry');
    expect(await fails('text.jsonl', [lines[0]!, 'hello'])).toContain('line 2: this is no journal entry');
    expect(await fails('bare.jsonl', ['{"at":1,"kind":"plan.lock"}'])).toContain('journal export --steps');
    expect(await fails('two.jsonl', [...lines, ...other])).toMatch(/2 instances.*i-1 \(\d+ steps\), i-2/);
    expect(await fails('two.jsonl', [...lines, ...other], '--instance', 'i-3')).toContain('nothing of i-3');
    expect(await fails('headless.jsonl', lines.slice(1))).toContain('does not say what i-1 was begun with');
    expect((await run('replay', write('two.jsonl', [...lines, ...other]), '--instance', 'i-2')).code).toBe(0);
  });

  it('shows the steps to the inspector too, until whoever looks has gone', async () => {
    const path = write('inspected.jsonl', await recordedLines());
    const said = { out: '', err: '' };
    const code = begin(['replay', path, '--instance', 'i-1', '--inspect', '--inspect-port', '0'], said);
    await expect
      .poll(() => said.err)
      .toMatch(/open http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]+ to inspect the replay\n/);
    const viewer = await Viewer.join(/http:\S+/.exec(said.err)![0]);
    await expect.poll(() => viewer.stateOf('i-1', 'idleBehavior')).toBe('hold');
    expect(viewer.eventsOf('i-1')).toEqual(expect.arrayContaining(['container.assigned', 'operator.hold']));
    viewer.leave();
    expect([await code, said.err]).toEqual([0, expect.stringContaining('all with the recorded result')]);
    const { steps } = JSON.parse((await run('replay', path, '--json')).out) as Replay;
    expect(said.out.trim().split('\n')).toHaveLength(steps.length);
    const wrong = await run('replay', path, '--inspect', '--inspect-port', '70000');
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('use a port from 0 to 65535')]);
    expect(await run('replay')).toMatchObject({
      code: 2,
      err: expect.stringContaining('no instance and no journal given') as string,
    });
  });

  it('steps to and fro by keys', async () => {
    const lines = await recordedLines();
    const replay = await replayFile(write('keys.jsonl', lines), undefined);
    replay.steps[3] = { ...replay.steps[3]!, matches: false };
    const view = new StepThrough(replay);
    const press = (key: Partial<Key>): number => {
      view.press(key);
      return view.index;
    };
    const last = replay.steps.length - 1;
    expect([press({ name: 'space' }), press({ name: 'right' }), press({ name: 'b' })]).toEqual([1, 2, 1]);
    expect([press({ name: 'd' }), press({ name: 'd' })]).toEqual([3, 3]);
    expect([press({ sequence: 'G', name: 'g' }), press({ name: 'n' })]).toEqual([last, last]);
    expect([press({ name: 'g' }), press({ name: 'b' })]).toEqual([0, 0]);
    expect(view.screen()).toContain(`step 1 of ${replay.steps.length}`);
    press({ name: 'l' });
    expect(view.screen()).toContain('operator.hold');
    expect(view.isOver).toBe(false);
    press({ name: 'q' });
    expect(view.isOver).toBe(true);
  });
});
