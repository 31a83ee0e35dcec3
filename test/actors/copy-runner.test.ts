import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyRunnerWith, installCommand } from '../../src/actors/copy-runner.js';
import type { RunnerProgram } from '../../src/runner/program.js';
import { settle } from '../../src/simulation/heap-clock.js';
import { ExecutorError } from '../../src/ssh/executor.js';
import { EffectsWorld, makeRunnerFile, runEffect, startEffect } from '../support/effects-world.js';

const onInstance = { instanceId: 'i-1' };
const timeoutMs = 5_000;
const content = '#!/bin/sh\necho "it\'s \\ here"\n';
const install = /dstfile=/;
let made: Awaited<ReturnType<typeof makeRunnerFile>>;

beforeEach(async () => {
  made = await makeRunnerFile(content);
});
afterEach(() => made.remove());

function copyRunner(world: EffectsWorld, runner?: RunnerProgram, uploads = world.slots(4)) {
  const program = runner ?? world.runner({ deploy: made.file });
  return copyRunnerWith({ executors: world.executors, runner: program, timeoutMs, uploads });
}

const installed = (status = 0) => ({ stdout: `${made.md5} ${status}\n` });
const pathOf = (): string => `/var/lib/arvados/crunch-run~${made.md5}`;

describe('the copy of the runner program', () => {
  it('does nothing when none is deployed (T-33, P-8)', async () => {
    const world = new EffectsWorld();
    world.add();
    expect(await runEffect(copyRunner(world, world.runner()), onInstance)).toEqual({ ok: true });
    expect(world.host.commands).toEqual([]);
  });

  it('is not sent where the very same program is (T-35, P-9)', async () => {
    const world = new EffectsWorld();
    world.add({ remoteUser: 'ubuntu' });
    world.host.on(/^md5sum/, { stdout: `${made.md5}  ${pathOf()}\n` });
    expect(await runEffect(copyRunner(world), onInstance)).toEqual({ ok: true });
    expect(world.host.commands).toEqual([`md5sum ${pathOf()}`]);
  });

  it.each([
    ['a warning beside the right sum', (right: string) => ({ stdout: right, stderr: 'md5sum: odd\n' })],
    ['another sum', (right: string) => ({ stdout: right.replace(/^./, 'x') })],
    ['a line more', (right: string) => ({ stdout: `${right}${right}` })],
    ['no output', () => ({})],
    ['no such file', () => ({ exitCode: 1, stderr: 'md5sum: no such file\n' })],
  ])('is sent where there is %s (T-36, P-9)', async (_, reply) => {
    const world = new EffectsWorld();
    world.add();
    world.host.on(/^md5sum/, reply(`${made.md5}  ${pathOf()}\n`)).on(install, installed());
    expect(await runEffect(copyRunner(world), onInstance)).toEqual({ ok: true });
    expect(world.host.only(install).stdin).toBe(content);
    expect(world.host.only(install).command).toMatch(
      `set -e; dstdir="/var/lib/arvados/"; dstfile="${pathOf()}"; `,
    );
  });

  it('goes through sudo for another user than root, the first look at the sum does not (T-34, P-9)', async () => {
    const world = new EffectsWorld();
    world.add({ remoteUser: 'ubuntu' });
    world.host.on(/md5sum/, { exitCode: 1 }).on(install, installed());
    expect(await runEffect(copyRunner(world), onInstance)).toEqual({ ok: true });
    expect(world.host.commands).toEqual([
      `md5sum ${pathOf()}`,
      `sudo md5sum ${pathOf()}`,
      expect.stringMatching(/^sudo sh -c 'set -e; dstdir="\/var\/lib\/arvados\/"; dstfile=".*'$/),
    ]);
  });

  it('is not sent where only root may see that it is there (K-27)', async () => {
    const world = new EffectsWorld();
    world.add({ remoteUser: 'ubuntu' });
    world.host.on(/^md5sum/, { exitCode: 1, stderr: 'permission denied\n' });
    world.host.on(/^sudo md5sum/, { stdout: `${made.md5}  ${pathOf()}\n` });
    expect(await runEffect(copyRunner(world), onInstance)).toEqual({ ok: true });
    expect(world.host.sent(install)).toEqual([]);
  });

  it('is a failure when the command fails, with what it said (T-32, P-8)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.host.on(/^md5sum/, { exitCode: 1 }).on(install, { exitCode: 1, stderr: 'disk full\n' });
    const outcome = await runEffect(copyRunner(world), onInstance);
    expect(outcome).toMatchObject({ ok: false, code: 'exit', stderr: 'disk full\n' });
  });

  it.each([
    ['prints nothing', () => ({})],
    ['has another file there', () => ({ stdout: `${made.md5.replace(/^./, 'x')} 0\n` })],
    ['prints something else beside it', () => ({ stdout: `welcome\n${made.md5} 0\n` })],
  ])('is a failure when the command succeeds and the host %s', async (_, reply) => {
    const world = new EffectsWorld();
    world.add();
    world.host.on(/^md5sum/, { exitCode: 1 }).on(install, reply());
    const outcome = await runEffect(copyRunner(world), onInstance);
    expect(outcome).toMatchObject({ ok: false, code: 'exit' });
    expect((outcome as { message: string }).message).toContain(`was not installed as ${pathOf()}`);
  });

  it.each([126, 127])('names the remedy when the copy answers %i: it cannot be executed', async (status) => {
    const world = new EffectsWorld();
    world.add();
    world.host.on(/^md5sum/, { exitCode: 1 }).on(install, installed(status));
    const outcome = await runEffect(copyRunner(world), onInstance);
    expect(outcome).toMatchObject({ ok: false, code: 'exit' });
    expect((outcome as { message: string }).message).toContain('Set runner.deployDirectory to a folder');
  });

  it.each([1, 2])('is good when the copy runs, though it ends with status %i', async (status) => {
    const world = new EffectsWorld();
    world.add();
    world.host.on(/^md5sum/, { exitCode: 1 }).on(install, installed(status));
    expect(await runEffect(copyRunner(world), onInstance)).toEqual({ ok: true });
  });

  it('goes to the other folder when it cannot be put where it should be, and is called there', async () => {
    const world = new EffectsWorld();
    world.add();
    const runner = world.runner({ deploy: made.file, deployFallback: '/tmp/arvados-crunch-run' });
    world.host.on(/^md5sum/, { exitCode: 1 });
    world.host.on(/dstdir="\/var\/lib\/arvados\/"/, installed(126)).on(/dstdir="\/tmp\//, installed());
    expect(await runEffect(copyRunner(world, runner), onInstance)).toEqual({ ok: true });
    const path = `/tmp/arvados-crunch-run/crunch-run~${made.md5}`;
    expect(await runner.command(world.executors.of('i-1'))).toBe(path);
  });

  it('is not tried when even the sum could not be asked for (P-8)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.host.on(/^md5sum/, { error: new ExecutorError('closed', 'lost') });
    expect(await runEffect(copyRunner(world), onInstance)).toMatchObject({ ok: false, code: 'closed' });
    expect(world.host.sent(install)).toEqual([]);
  });

  it('is a failure when the program cannot be read here (P-8)', async () => {
    const world = new EffectsWorld();
    world.add();
    const outcome = await runEffect(
      copyRunner(world, world.runner({ deploy: `${made.file}.gone` })),
      onInstance,
    );
    expect(outcome).toMatchObject({ ok: false, code: 'fault', expected: false });
    expect(world.host.commands).toEqual([]);
  });

  it('ends at its deadline when the upload hangs, and makes room for the next (K-3)', async () => {
    const world = new EffectsWorld();
    world.add();
    const uploads = world.slots(1);
    world.host.on(/^md5sum/, { exitCode: 1 });
    world.host.hold(install);
    const first = runEffect(copyRunner(world, undefined, uploads), onInstance);
    await expect.poll(() => world.host.sent(install).length).toBe(1);
    await world.clock.advance(timeoutMs);
    expect(await first).toMatchObject({ ok: false, code: 'timeout' });
    expect(uploads.underWay).toBe(0);
  });

  it('keeps to the bound of uploads, and an instance that leaves the queue holds nobody up (K-38)', async () => {
    const world = new EffectsWorld();
    for (const id of ['i-1', 'i-2', 'i-3', 'i-4']) world.add({ id });
    const runner = world.runner({ deploy: made.file });
    await runner.load();
    world.host.on(/^md5sum/, { exitCode: 1 });
    const hold = world.host.hold(install);
    const logic = copyRunner(world, runner, world.slots(2));
    const outcomes = ['i-1', 'i-2'].map((instanceId) => runEffect(logic, { instanceId }));
    await settle();
    const leaver = await startEffect(logic, { instanceId: 'i-3' });
    outcomes.push(runEffect(logic, { instanceId: 'i-4' }));
    await settle();
    expect(hold.calls).toHaveLength(2);
    await leaver.stop();
    hold.release(installed());
    expect(await Promise.all(outcomes)).toEqual([{ ok: true }, { ok: true }, { ok: true }]);
    expect(hold.calls).toHaveLength(3);
  });
});

describe('the install command, in a real shell', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longshore-install-'));
    await mkdir(join(folder, 'bin'));
    await writeFile(join(folder, 'bin', 'sudo'), '#!/bin/sh\nexec "$@"\n');
    await chmod(join(folder, 'bin', 'sudo'), 0o755);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  function shell(command: string, stdin: string): Promise<{ code: number; stderr: string }> {
    const env = { PATH: `${join(folder, 'bin')}:${process.env['PATH']}` };
    const child = spawn('sh', ['-c', command], { stdio: ['pipe', 'ignore', 'pipe'], env });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.end(stdin);
    return new Promise((resolve) => child.on('close', (code) => resolve({ code: code ?? 255, stderr })));
  }

  it.each([
    ['plain', 'root'],
    ['plain', 'ubuntu'],
    [`it's a "folder" with $HOME, \`date\` and \\`, 'root'],
    [`it's a "folder" with $HOME, \`date\` and \\`, 'ubuntu'],
    ['; touch injected #', 'ubuntu'],
  ])('puts the whole program into a folder named %j for %s (K-26, P-9)', async (name, user) => {
    const path = join(folder, name, 'crunch-run~x');
    const loaded = { content: Buffer.from(content), md5: made.md5, path };
    expect(await shell(installCommand(loaded, user), content)).toEqual({ code: 0, stderr: '' });
    expect(await readFile(path, 'utf8')).toBe(content);
    expect((await stat(path)).mode & 0o777).toBe(0o755);
    expect(await readdir(join(folder, name))).toEqual(['crunch-run~x']);
    expect((await readdir(folder)).sort()).toEqual(['bin', name].sort());
  });

  it('leaves what was there when the upload is cut short, and nothing else (K-27)', async () => {
    const path = join(folder, 'run', 'crunch-run~x');
    await mkdir(join(folder, 'run'));
    await writeFile(path, 'the old one');
    const loaded = { content: Buffer.from(content), md5: made.md5, path };
    const { code, stderr } = await shell(installCommand(loaded, 'root'), content.slice(0, 5));
    expect([code, stderr]).toEqual([1, 'the copy is damaged\n']);
    expect(await readFile(path, 'utf8')).toBe('the old one');
    expect(await readdir(join(folder, 'run'))).toEqual(['crunch-run~x']);
  });
});
