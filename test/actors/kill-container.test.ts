import { describe, expect, it } from 'vitest';
import { soleMandate } from '../../src/domain/leader-guard.js';
import { killContainerWith } from '../../src/actors/kill-container.js';
import { EffectsWorld, runEffect, runEffectFor } from '../support/effects-world.js';
import { uuid1 } from '../support/worker-world.js';

const input = { instanceId: 'i-1', uuid: uuid1 };
const timeoutMs = 5_000;

function killContainer(world: EffectsWorld, runner = world.runner()) {
  return killContainerWith({ executors: world.executors, runner, mandate: soleMandate, timeoutMs });
}

describe('one TERM', () => {
  it.each([
    ['root', ''],
    ['ubuntu', 'sudo '],
  ])('is a plain command for %s (R-10)', async (remoteUser, prefix) => {
    const world = new EffectsWorld();
    world.add({ remoteUser });
    world.host.on(/--kill/);
    expect(await runEffect(killContainer(world), input)).toEqual({ ok: true });
    expect(world.host.calls).toMatchObject([
      { command: `${prefix}crunch-run --kill 15 ${uuid1}`, stdin: '' },
    ]);
  });

  it('quotes a runner path that needs it (K-26)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.host.on(/--kill/);
    const runner = world.runner({ deploy: 'built-in', deployDirectory: `/opt/it's here` });
    await runEffect(killContainer(world, runner), input);
    expect(world.host.commands[0]).toMatch(
      /^'\/opt\/it'\\''s here\/crunch-run~[0-9a-f]{32}' --kill 15 zzzzz-dz642-0{14}1$/,
    );
  });

  it.each([`${uuid1}; reboot`, '$(reboot)', `'`, '', 'zzzzz-dz642-00000000000000', uuid1.toUpperCase()])(
    'is not sent for an id like %j (K-26)',
    async (uuid) => {
      const world = new EffectsWorld();
      world.add();
      world.host.on(/./);
      const outcome = await runEffect(killContainer(world), { ...input, uuid });
      expect(outcome).toMatchObject({ ok: false, code: 'unsafe' });
      expect(world.host.commands).toEqual([]);
    },
  );

  it('says that the process is still there when the command fails (R-10)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.host.on(/--kill/, { exitCode: 1, stderr: 'still alive\n' });
    expect(await runEffect(killContainer(world), input)).toMatchObject({ ok: false, code: 'exit' });
  });

  it('ends at its deadline when the command hangs (K-3)', async () => {
    const world = new EffectsWorld();
    world.add();
    world.host.hold(/--kill/);
    const outcome = await runEffectFor(world.clock, timeoutMs, killContainer(world), input);
    expect(outcome).toMatchObject({ ok: false, code: 'timeout' });
  });
});
