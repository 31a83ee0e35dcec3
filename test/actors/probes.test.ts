import { rm, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { bootProbeWith } from '../../src/actors/boot-probe.js';
import { runProbeWith } from '../../src/actors/run-probe.js';
import type { RunnerProgram } from '../../src/runner/program.js';
import { ExecutorError } from '../../src/ssh/executor.js';
import {
  EffectsWorld,
  makeRunnerFile,
  runEffect,
  runEffectFor,
  startEffect,
} from '../support/effects-world.js';
import { uuid1, uuid2 } from '../support/worker-world.js';

const onInstance = { instanceId: 'i-1' };
const timeoutMs = 5_000;

function bootProbe(world: EffectsWorld, command = 'systemctl is-system-running') {
  return bootProbeWith({ executors: world.executors, command, timeoutMs });
}

function runProbe(world: EffectsWorld, runner: RunnerProgram = world.runner()) {
  const { executors, clock } = world;
  return runProbeWith({ executors, runner, clusterId: 'zzzzz', timeoutMs, clock });
}

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

describe('the boot probe', () => {
  it('sends the command as configured: no sudo, no input, no environment (P-7)', async () => {
    const world = new EffectsWorld();
    world.add({ remoteUser: 'ubuntu' });
    world.host.on(/.*/);
    expect(await runEffect(bootProbe(world, `sh -c 'test "$x"'`), onInstance)).toEqual({ ok: true });
    expect(world.host.calls[0]).toMatchObject({ command: `sh -c 'test "$x"'`, stdin: '', env: {} });
  });

  it('sends `true` when nothing is configured (P-7)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.host.on(/^true$/);
    expect(await runEffect(bootProbe(world, ''), onInstance)).toEqual({ ok: true });
  });

  it.each([
    ['exit', true],
    ['auth', false],
    ['refused', true],
  ] as const)('tells a failure by its code: %s (P-7)', async (code, expected) => {
    const world = new EffectsWorld();
    world.add();
    world.host.on(/./, { error: new ExecutorError(code, 'no', { stdout: 'starting', stderr: 'not yet' }) });
    const outcome = await runEffect(bootProbe(world), onInstance);
    expect(outcome).toMatchObject({ ok: false, code, expected, stdout: 'starting', stderr: 'not yet' });
  });

  it('ends at its deadline when the command hangs (K-3)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.host.hold(/./);
    const outcome = await runEffectFor(world.clock, timeoutMs, bootProbe(world), onInstance);
    expect(outcome).toMatchObject({ ok: false, code: 'timeout', expected: true });
    expect(world.clock.pending).toBe(0);
  });

  it('gives the command up when it is stopped', async () => {
    const world = new EffectsWorld();
    world.add();
    world.host.hold(/./);
    const effect = await startEffect(bootProbe(world), onInstance);
    await effect.stop();
    expect(world.host.calls[0]!.failure).toBe('aborted');
    expect(world.clock.pending).toBe(0);
  });

  it('fails as usual for an instance without address, and for one that is gone (X-3)', async () => {
    const world = new EffectsWorld();
    expect(await runEffect(bootProbe(world), onInstance)).toMatchObject({ ok: false, code: 'gone' });
    world.add({ address: '' });
    expect(await runEffect(bootProbe(world), onInstance)).toMatchObject({
      code: 'no-address',
      expected: true,
    });
  });
});

describe('the run probe', () => {
  it('asks the configured runner when nothing is deployed, with no input (T-33, P-10, P-11)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.host.on(/--list/);
    const outcome = await runEffect(runProbe(world), onInstance);
    expect(outcome).toMatchObject({ ok: true, listing: { live: [], stale: [], ended: [], broken: false } });
    expect(world.host.calls).toMatchObject([{ command: 'crunch-run --list', stdin: '', timeoutMs }]);
  });

  it('asks the deployed runner and not the one in the search path (T-31, P-10)', async () => {
    const world = new EffectsWorld();
    world.add();
    const { file, md5, remove } = await makeRunnerFile('a runner');
    cleanUps.push(remove);
    world.host.on(/^crunch-run --list$/, { exitCode: 1 });
    world.host.on(/^\/var\/lib/, { stdout: `${uuid1}\n` });
    const outcome = await runEffect(runProbe(world, world.runner({ deploy: file })), onInstance);
    expect(outcome).toMatchObject({ ok: true, listing: { live: [uuid1] } });
    expect(world.host.commands).toEqual([`/var/lib/arvados/crunch-run~${md5} --list`]);
  });

  it('sends the prices as input, behind sudo for another user than root (T-34, T-37, P-11)', async () => {
    const world = new EffectsWorld();
    const at = (text: string): number => Date.parse(text);
    world.add({
      remoteUser: 'ubuntu',
      priceHistory: [
        { startAt: at('2026-01-02T03:04:05Z'), price: 0.25 },
        { startAt: at('2026-01-01T00:00:00Z'), price: 0.5 },
      ],
    });
    world.host.on(/--list/);
    await runEffect(runProbe(world), onInstance);
    const [call] = world.host.calls;
    expect(call!.command).toBe('sudo crunch-run --list --stdin-prices');
    expect(JSON.parse(call!.stdin)).toEqual([
      { StartTime: '2026-01-02T03:04:05.000Z', Price: 0.25 },
      { StartTime: '2026-01-01T00:00:00.000Z', Price: 0.5 },
    ]);
  });

  it('reads only plain ids of its own cluster as alive (T-41, P-13)', async () => {
    const world = new EffectsWorld();
    world.add();
    const third = 'zzzzz-dz642-000000000000003';
    const lines = [
      'aaaaa-dz642-x',
      uuid1,
      `${uuid2} stale`,
      `${third} odd`,
      '',
      'aaaaa-dz642-000000000000001',
    ];
    world.host.on(/--list/, { stdout: `${lines.join('\n')}\n` });
    const outcome = await runEffect(runProbe(world), onInstance);
    expect(outcome).toMatchObject({ listing: { live: [uuid1], stale: [uuid2], ended: [], broken: false } });
  });

  it('survives any output, and lets none of it pass as a container', async () => {
    const world = new EffectsWorld();
    world.add();
    const garbage = ['zzzzz', 'zzzzz-dz642-$(reboot)00000', '\0\0', `${uuid1};reboot`, 'x'.repeat(100_000)];
    world.host.on(/--list/, { stdout: garbage.join('\n') });
    const outcome = await runEffect(runProbe(world), onInstance);
    expect(outcome).toMatchObject({ ok: true, listing: { live: [], stale: [], ended: [] } });
  });

  it('does not read the output of a command that failed (P-12)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.host.on(/--list/, { exitCode: 1, stdout: `${uuid1}\n`, stderr: 'half\n' });
    const outcome = await runEffect(runProbe(world), onInstance);
    expect(outcome).toMatchObject({ ok: false, code: 'exit', stdout: `${uuid1}\n`, stderr: 'half\n' });
    expect(outcome).not.toHaveProperty('listing');
  });

  it('tells how long it took, for success and failure (P-12)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.host.once(/--list/, { afterMs: 700 }).once(/--list/, { afterMs: 900, exitCode: 1 });
    expect(await runEffectFor(world.clock, 5_000, runProbe(world), onInstance)).toMatchObject({
      durationMs: 700,
    });
    expect(await runEffectFor(world.clock, 5_000, runProbe(world), onInstance)).toMatchObject({
      durationMs: 900,
    });
  });

  it('ends at its deadline when the command hangs (K-3)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.host.hold(/--list/);
    const outcome = await runEffectFor(world.clock, timeoutMs, runProbe(world), onInstance);
    expect(outcome).toMatchObject({ ok: false, code: 'timeout', durationMs: timeoutMs });
  });

  it('sends nothing while the runner file cannot be read, and recovers when it can (K-28, P-10)', async () => {
    const world = new EffectsWorld();
    world.add();
    const { file, remove } = await makeRunnerFile('a runner');
    cleanUps.push(remove);
    await rm(file);
    const runner = world.runner({ deploy: file });
    expect(await runEffect(runProbe(world, runner), onInstance)).toMatchObject({ ok: false, code: 'fault' });
    expect(world.host.commands).toEqual([]);
    await writeFile(file, 'a runner');
    world.host.on(/--list/);
    expect(await runEffect(runProbe(world, runner), onInstance)).toMatchObject({ ok: true });
  });
});
