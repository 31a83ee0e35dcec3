import { performance } from 'node:perf_hooks';
import { afterEach, describe, expect, it } from 'vitest';
import { Conduct, type Strike } from '../../src/fleet/conduct.js';
import { Executors } from '../../src/fleet/instance-executors.js';
import { runProbeWith } from '../../src/actors/run-probe.js';
import { systemClock } from '../../src/domain/clock.js';
import type { Quarantine } from '../../src/domain/instance.js';
import { FleetModel } from '../../src/observability/invariants/fleet-model.js';
import { generateKeyPair } from '../../src/ssh/keys.js';
import { createExecutorFactory } from '../../src/ssh/ssh-executor.js';
import { EffectsWorld, keys, runEffect } from '../support/effects-world.js';
import { lies, LyingServer } from '../support/lying-server.js';
import { ScriptedDriver, instanceOf } from '../support/scripted-driver.js';
import { smallType } from '../support/worker-world.js';

const login = generateKeyPair();
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** An instance behind a real server that lies, with the daemon's own effects. */
async function liar() {
  const server = await LyingServer.start({ authorizedKey: login.publicKey });
  const strikes: Strike[] = [];
  const quarantines: Quarantine[] = [];
  const driver = new ScriptedDriver();
  driver.verdict = true;
  const executors = new Executors({
    factory: createExecutorFactory({
      privateKey: login.privateKey,
      defaultPort: '22',
      connectTimeoutMs: 10_000,
      keepaliveIntervalMs: 0,
      clock: systemClock,
      maxHandshakes: 8,
      maxChannels: 4,
    }),
    driver,
    tagKeys: keys,
    onConnection: () => {},
    conduct: new Conduct({
      clock: systemClock,
      isGiven: () => false,
      onStrike: (strike) => strikes.push(strike),
      onQuarantine: (_, quarantine) => quarantines.push(quarantine),
    }),
  });
  executors.add(instanceOf({ address: server.address }), smallType);
  closers.push(
    () => server.close(),
    () => executors.remove('i-1'),
  );
  const runProbe = runProbeWith({
    executors,
    runner: new EffectsWorld().runner({ deploy: '' }),
    clusterId: 'zzzzz',
    timeoutMs: 20_000,
    clock: systemClock,
  });
  return { server, strikes, quarantines, probe: () => runEffect(runProbe, { instanceId: 'i-1' }) };
}

async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const look = (): void => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  };
  const ticks = setInterval(look, 1);
  await work();
  clearInterval(ticks);
  look();
  return longest;
}

describe('a list of containers', () => {
  it('of 10,000 made-up ids is refused as too much output, and quarantines the instance', async () => {
    const { server, probe, strikes, quarantines } = await liar();
    server.lie('list', lies.says(lies.madeUpIds(10_000)));
    expect(await probe()).toMatchObject({ ok: false, code: 'too-much-output' });
    expect(strikes.map(({ kind }) => kind)).toEqual(['output']);
    expect(quarantines).toHaveLength(1);
  });

  it('of as many made-up ids as the output may hold is read without them', async () => {
    const { server, probe, quarantines } = await liar();
    server.lie('list', lies.says(lies.madeUpIds(4_000) + lies.madeUpIds(4_000, 'ended')));
    const outcome = await probe();
    expect(outcome).toMatchObject({ ok: true, listing: { live: [], ended: [] } });
    expect(quarantines[0]?.because).toMatch(/^it named 4000 containers/);
  });

  it.each([
    ['breaches the limits', 9_000],
    ['is within them', 64],
  ])('costs less than 100 ms of the event loop when it %s', async (_, count) => {
    const { server, probe } = await liar();
    server.lie('list', lies.says(lies.madeUpIds(count)));
    const turns: number[] = [];
    // The best of several: other processes of the machine count, too.
    for (let round = 0; round < 4; round++) turns.push(await longestTurn(probe));
    expect(Math.min(...turns)).toBeLessThan(100);
  });
});

describe('the models that watch workers', () => {
  it('take containers that an instance lists in time that grows with their number, not with its square', () => {
    const model = new FleetModel({} as never, () => {});
    const ids = Array.from({ length: 40_000 }, (_, index) => `c-${index}`);
    const sight = { at: 1, instance: 'i-1', state: 'running', behavior: 'run', containers: [] } as const;
    model.began(sight, '');
    const began = performance.now();
    model.stepped({ ...sight, event: 'round.passed', containers: ids });
    model.stepped({ ...sight, event: 'round.passed', containers: ids.slice(1) });
    // With nested walks it takes a minute.
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});
