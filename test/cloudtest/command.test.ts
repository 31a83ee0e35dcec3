import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CloudTestReport } from '../../src/cloudtest/report.js';
import { endProcessesOf } from '../../src/drivers/loopback/processes.js';
import { startCommand, type CommandProcess, type Terminal } from '../support/command-process.js';
import { requireTool } from '../support/tools.js';

const soon = { timeout: 120_000, interval: 50 };
let folder: string;
let config: string;
let started: CommandProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longshore-cloudtest-command-'));
  config = join(folder, 'loopback.yaml');
  await copyFile(fileURLToPath(new URL('../../examples/loopback.yaml', import.meta.url)), config);
  started = [];
});
afterEach(async () => {
  for (const command of started) await command.end();
  await endProcessesOf(folder);
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

function cloudtest(options: readonly string[], terminal?: Terminal): CommandProcess {
  const command = startCommand(['cloudtest', '--config', config, ...options], terminal);
  started.push(command);
  return command;
}

/** What the example says, but looking again sooner. */
async function hurry(): Promise<void> {
  const text = await readFile(config, 'utf8');
  await writeFile(config, text.replace('\npool:\n', '\npool:\n  probeInterval: 100ms\n'));
}

/** Ids of the instances that are there. */
function present(): string[] {
  const path = join(folder, 'longshore-state/loopback/zzzzz-zzzzz-zzzzzzcloudtest/instances.json');
  if (!existsSync(path)) return [];
  const { instances } = JSON.parse(readFileSync(path, 'utf8')) as { instances: { id: string }[] };
  return instances.map(({ id }) => id);
}

describe('longshore cloudtest', { timeout: 600_000 }, () => {
  it('finds all well with examples/loopback.yaml, and ends in a table of the steps (CT-1)', async () => {
    const command = cloudtest(['--run', 'echo "sum $((40 + 2))"']);
    expect([await command.exitCode, command.err]).toEqual([
      0,
      expect.stringMatching(/^ok +\d+\.\d s {2}list: 0 instances in all\nok /) as string,
    ]);
    const lines = command.out.trimEnd().split('\n');
    expect(lines[0]).toBe('step\tzone\tresult\ttime\tdetail');
    expect(lines.slice(1, -1).map((line) => line.split('\t')[0])).toEqual(
      'list,create,listed,address,tags,set tags,login,boot probe,command,destroy'.split(','),
    );
    expect(lines).toContainEqual(expect.stringMatching(/^command\t-\tok\t\d+\.\d s\tsum 42$/));
    expect(lines.at(-1)).toBe('loopback, small: passed');
    expect(present()).toEqual([]);
  });

  it('prints a report for programs, of the type it was asked for, and fails with what failed (CT-2)', async () => {
    await hurry();
    const command = cloudtest(['--json', '--type', 'medium', '--run', 'echo no such disk >&2; exit 3']);
    expect(await command.exitCode).toBe(1);
    const report = JSON.parse(command.out) as CloudTestReport;
    expect(report).toMatchObject({ ok: false, driver: 'loopback', instanceType: 'medium', left: [] });
    expect(report.steps.filter(({ ok }) => !ok)).toEqual([
      expect.objectContaining({
        step: 'command',
        detail: expect.stringContaining('no such disk') as string,
      }),
    ]);
    expect(command.err).toMatch(/^FAILED +\d+\.\d s {2}command: .*no such disk$/m);
  });

  it('refuses what makes no sense before anything is made (CT-3)', async () => {
    const blind = cloudtest(['--pause']);
    expect([await blind.exitCode, blind.err]).toEqual([
      2,
      'longshore: --pause and --shell need a terminal\n',
    ]);
    const huge = cloudtest(['--type', 'huge']);
    expect([await huge.exitCode, huge.err]).toEqual([
      1,
      'longshore: there is no instance type "huge": use one of small, medium\n',
    ]);
    expect(present()).toEqual([]);
  });

  it('waits before the end for a person to look, and says how to log in (CT-6)', async (context) => {
    await hurry();
    const command = cloudtest(['--pause'], { script: requireTool(context, 'script'), columns: 0 });
    await expect.poll(() => command.shown, soon).toMatch(/Press Enter to destroy the instance/);
    expect(command.shown).toMatch(/Log in with: ssh -p\d+ root@127\.0\.0\.1/);
    expect(present()).toHaveLength(1);
    command.type('\r');
    expect(await command.exitCode).toBe(0);
    expect(command.shown).toMatch(/look around +│ - +│ ok/);
    expect(command.shown).toContain('loopback, small: passed');
    expect(present()).toEqual([]);
  });

  it('opens a shell on the instance, which accepts no other host', async (context) => {
    await hurry();
    requireTool(context, 'ssh');
    const command = cloudtest(['--shell'], { script: requireTool(context, 'script') });
    await expect.poll(() => command.shown, soon).toMatch(/boot probe\r?\n/);
    command.type('echo "sum $((40 + 2)) in $PWD"; tty\r');
    await expect.poll(() => command.shown, soon).toMatch(/sum 42 in \//);
    await expect.poll(() => command.shown, soon).toMatch(/\/dev\/pts\/\d+/);
    expect(present()).toHaveLength(1);
    command.type('exit\r');
    expect(await command.exitCode).toBe(0);
    expect(command.shown).toContain('loopback, small: passed');
    expect(present()).toEqual([]);
  });

  it('destroys the instance when Ctrl-C ends the test, whatever it was doing', async (context) => {
    await hurry();
    const script = requireTool(context, 'script');
    const busy = cloudtest(['--run', 'sleep 1000'], { script });
    await expect.poll(() => busy.shown, soon).toMatch(/boot probe\r?\n/);
    expect(present()).toHaveLength(1);
    busy.type('\x03');
    expect(await busy.exitCode).toBe(1);
    expect(busy.shown).toMatch(/destroy +│ - +│ ok/);
    expect(present()).toEqual([]);
    const paused = cloudtest(['--pause'], { script });
    await expect.poll(() => paused.shown, soon).toMatch(/Press Enter/);
    paused.type('\x03');
    expect(await paused.exitCode).toBe(1);
    expect(present()).toEqual([]);
  });

  it('leaves everything as it is after a second Ctrl-C, for the next test to clean up', async () => {
    await hurry();
    const command = cloudtest(['--run', 'sleep 1000']);
    await expect.poll(() => command.err, soon).toMatch(/boot probe\n/);
    const [left] = present();
    command.signalOn('Ctrl-C again ends at once', 'SIGINT');
    command.signal('SIGINT');
    expect(await command.exitCode).toBe(130);
    expect(present()).toEqual([left]);
    const refused = cloudtest([]);
    expect([await refused.exitCode, refused.out]).toEqual([
      1,
      expect.stringContaining(`${left} of an earlier test: give --destroy-existing`) as string,
    ]);
    const next = cloudtest(['--destroy-existing']);
    expect([await next.exitCode, next.out]).toEqual([
      0,
      expect.stringContaining(`${left} destroyed`) as string,
    ]);
    expect(present()).toEqual([]);
  });
});
