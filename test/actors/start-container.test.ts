import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  gatewayAddress,
  startCommand,
  startContainerWith,
  type StartContainerDeps,
} from '../../src/actors/start-container.js';
import { StartFailures } from '../../src/fleet/start-failures.js';
import { QueueError } from '../../src/queue/queue.js';
import { soleMandate } from '../../src/domain/leader-guard.js';
import { settle } from '../../src/simulation/heap-clock.js';
import {
  EffectsWorld,
  runEffect,
  runEffectFor,
  runnerSettings,
  startEffect,
} from '../support/effects-world.js';
import { containerOf } from '../support/scripted-queue.js';
import { smallType, uuid1, uuid2 } from '../support/worker-world.js';
import type { ContainerWork } from '../../src/domain/container-work.js';

const token = 'the dispatcher token';
const timeoutMs = 5_000;
const input = { instanceId: 'i-1', uuid: uuid1 };
const start = /--detach/;

const work: ContainerWork = {
  command: ['echo', `it's`],
  env: {},
  image: '',
  cwd: '',
  vcpus: 3,
  ramBytes: 0,
  maxRunTimeMs: 0,
};

function startContainer(world: EffectsWorld, change: Partial<StartContainerDeps> = {}) {
  return startContainerWith({
    executors: world.executors,
    runner: world.runner(),
    queue: world.queue,
    settings: runnerSettings,
    systemRootToken: token,
    keepBuffersPerVcpu: 0,
    clusterConfig: { ClusterSecret: 'x' },
    spotNotices: undefined,
    timeoutMs,
    starts: world.slots(4),
    failures: new StartFailures(world.clock),
    mandate: soleMandate,
    clock: world.clock,
    ...change,
  });
}

function ready(change: Parameters<EffectsWorld['add']>[0] = {}): EffectsWorld {
  const world = new EffectsWorld();
  world.add(change);
  world.host.on(start);
  return world;
}

async function documentOf(world: EffectsWorld, change: Partial<StartContainerDeps> = {}) {
  expect(await runEffect(startContainer(world, change), input)).toEqual({ ok: true });
  return JSON.parse(world.host.only(start).stdin) as Record<string, unknown> & {
    Env: Record<string, string>;
  };
}

describe('the start command', () => {
  it('has each argument in single quotes (T-38, R-2)', () => {
    const settings = { runtimeEngine: 'stub', arguments: ['--foo', `--extra='args'`] };
    expect(startCommand('crunch-run', settings, uuid1)).toBe(
      `crunch-run --detach --stdin-config '--runtime-engine=stub' '--foo' '--extra='\\''args'\\''' '${uuid1}'`,
    );
  });

  it('goes without sudo for root and with it for others, and passes no environment (T-38, R-2, R-3)', async () => {
    for (const [remoteUser, prefix] of [
      ['root', ''],
      ['ubuntu', 'sudo '],
    ] as const) {
      const world = ready({ remoteUser });
      await runEffect(startContainer(world), input);
      expect(world.host.calls).toMatchObject([
        {
          command: `${prefix}crunch-run --detach --stdin-config '--runtime-engine=stub' '${uuid1}'`,
          env: {},
        },
      ]);
    }
  });

  it.each([`x'; reboot; '`, '$(reboot)', `${uuid1}\nreboot`, '', `${uuid1} -v`, '../../etc/passwd'])(
    'is not sent for an id like %j, and nothing is recorded (K-26)',
    async (uuid) => {
      const world = ready();
      const outcome = await runEffect(startContainer(world), { instanceId: 'i-1', uuid });
      expect(outcome).toMatchObject({ ok: false, code: 'unsafe', expected: false });
      expect([world.host.commands, world.queue.startedContainers]).toEqual([[], []]);
    },
  );
});

describe('the start document', () => {
  it('has exactly four keys, and a secret that is the HMAC over the id alone (T-39, R-3, K-20)', async () => {
    const world = ready();
    const document = await documentOf(world);
    expect(Object.keys(document).sort()).toEqual(['Cluster', 'EC2SpotCheck', 'Env', 'KeepBuffers']);
    expect(document).toMatchObject({ KeepBuffers: 0, Cluster: null, EC2SpotCheck: false });
    const { InstanceType: typeText, ...env } = document.Env;
    expect(env).toEqual({
      ARVADOS_API_HOST: 'api.example',
      ARVADOS_API_TOKEN: token,
      GatewayAddress: '10.0.0.1:0',
      GatewayAuthSecret: createHmac('sha256', token).update(uuid1).digest('hex'),
    });
    expect(typeText).toMatch(/^\{\n {4}"ProviderType": "provider\.small",\n[^]*\}\n$/);
    expect(JSON.parse(typeText!)).toMatchObject({ VCPUs: 2, RAM: 2 ** 31, Preemptible: false });
  });

  it('tells that the certificate of the API is not checked only when that is so (R-3)', async () => {
    const settings = { ...runnerSettings, apiHostInsecure: true };
    const { Env: env } = await documentOf(ready(), { settings });
    expect(env['ARVADOS_API_HOST_INSECURE']).toBe('1');
  });

  it('counts buffers by what the container asks for and adds the cluster configuration (K-29, R-3, DW-21)', async () => {
    const world = ready();
    world.queue.containers.set(uuid1, containerOf(uuid1, 1));
    const document = await documentOf(world, { keepBuffersPerVcpu: 2 });
    expect(document).toMatchObject({ KeepBuffers: 2, Cluster: { ClusterSecret: 'x' } });
  });

  it('counts buffers by the instance for a container nobody knows (R-3)', async () => {
    expect(await documentOf(ready(), { keepBuffersPerVcpu: 2 })).toMatchObject({ KeepBuffers: 4 });
  });

  it('carries the work of the queue for a runner of ours (R-3)', async () => {
    const world = ready();
    world.queue.works.set(uuid1, work);
    const document = await documentOf(world, { keepBuffersPerVcpu: 2 });
    expect(document).toMatchObject({ KeepBuffers: 6 });
    expect(Buffer.from(document['Longshore'] as string, 'base64').toString()).toContain(
      `exec "$@" 'echo' 'it'\\''s'`,
    );
  });

  it.each([
    ['ec2', true, true],
    ['ec2', false, false],
    ['azure', true, false],
    [undefined, true, false],
  ] as const)(
    'asks for the spot check on EC2 (%s) for preemptible types (%s): %s (R-3)',
    async (spotNotices, preemptible, asked) => {
      const world = new EffectsWorld();
      world.add({}, { ...smallType, preemptible });
      world.host.on(start);
      expect(await documentOf(world, { spotNotices })).toMatchObject({ EC2SpotCheck: asked });
    },
  );

  it.each([
    ['fe80::1', '[fe80::1]:0'],
    ['[fe80::1]:22', '[fe80::1]:0'],
    ['10.0.0.1:22', '10.0.0.1:0'],
    ['host.example', 'host.example:0'],
    ['', ':0'],
  ])('joins the host of %j with port 0: %s (T-40, R-3)', (address, expected) => {
    expect(gatewayAddress(address)).toBe(expected);
  });
});

describe('the start of a container', () => {
  it('is recorded before the command is sent, with place and price', async () => {
    const world = ready();
    world.queue.onStarted = () => {
      expect(world.host.commands).toEqual([]);
      return Promise.resolve();
    };
    await runEffect(startContainer(world), input);
    const where = { instanceId: 'i-1', instanceTypeName: 'small', pricePerHour: 0.1 };
    expect(world.queue.startedContainers).toEqual([{ uuid: uuid1, where, at: world.clock.now() }]);
    expect(world.host.sent(start)).toHaveLength(1);
  });

  it('is not sent when it could not be recorded', async () => {
    const world = ready();
    world.queue.onStarted = () => Promise.reject(new QueueError('conflict', 'cancelled meanwhile'));
    const outcome = await runEffect(startContainer(world), input);
    expect(outcome).toMatchObject({ ok: false, code: 'conflict', message: 'cancelled meanwhile' });
    expect(world.host.commands).toEqual([]);
  });

  it('is neither recorded nor sent for work no shell can be told', async () => {
    const world = ready();
    world.queue.works.set(uuid1, { ...work, command: ['echo', 'a\0b'] });
    const failed = { ok: false, code: 'invalid', fault: 'container', ranNothing: true };
    expect(await runEffect(startContainer(world), input)).toMatchObject(failed);
    expect([world.host.commands, world.queue.startedContainers]).toEqual([[], []]);
    const reason = 'command, env, cwd or image holds a zero byte';
    expect(world.queue.cancelled).toEqual([{ uuid: uuid1, reason }]);
  });

  it('takes the attempt back when the command was never sent: nothing answered', async () => {
    const world = new EffectsWorld();
    world.add({ address: '10.0.0.9:22' });
    const failures = new StartFailures(world.clock);
    const outcome = await runEffect(startContainer(world, { failures }), input);
    expect(outcome).toMatchObject({ ok: false, code: 'refused', fault: 'line', ranNothing: true });
    expect(world.queue.reverted).toMatchObject([{ uuid: uuid1, instanceId: 'i-1' }]);
    expect([...failures.avoided(uuid1)!.keys()]).toEqual(['i-1']);
  });

  it.each([
    [71, 'broken-instance', 'no space left on device'],
    [65, 'container', 'the configuration is damaged'],
    [127, 'instance', 'crunch-run: not found'],
  ])('takes the attempt back when the runner program refuses with %i, with the reason', async (...row) => {
    const [exitCode, fault, stderr] = row;
    const world = ready();
    world.host.on(start, { exitCode, stderr: `${stderr}\n` });
    const runner = world.runner({ deploy: 'built-in' });
    const outcome = await runEffect(startContainer(world, { runner }), input);
    const reason = `the start command exited with status ${exitCode}: ${stderr}`;
    expect(outcome).toMatchObject({ ok: false, code: 'exit', exitCode, fault, ranNothing: true, reason });
    expect(world.queue.reverted).toEqual([{ uuid: uuid1, instanceId: 'i-1', attempt: undefined, reason }]);
  });

  it.each([
    ['another exit code', true, 1],
    ['the same exit code of another runner program', false, 71],
    ['a process of an earlier start is there', true, 73],
  ])('leaves the attempt as one that may run: %s (R-5)', async (_, isOurs, exitCode) => {
    const world = ready();
    world.host.on(start, { exitCode, stderr: 'no\n' });
    const failures = new StartFailures(world.clock);
    const runner = world.runner(isOurs ? { deploy: 'built-in' } : {});
    const outcome = await runEffect(startContainer(world, { runner, failures }), input);
    expect(outcome).toMatchObject({ ok: false, ranNothing: false });
    expect(world.queue.reverted).toEqual([]);
    expect(failures.last(uuid1)).toMatchObject({ ranNothing: exitCode === 73 });
  });

  it('leaves an attempt that the store cannot take back to the dispatcher, which finds nothing there', async () => {
    const world = new EffectsWorld();
    world.add({ address: '10.0.0.9:22' });
    world.queue.onRevert = () => Promise.reject(new QueueError('unavailable', 'the store does not answer'));
    const failures = new StartFailures(world.clock);
    const outcome = await runEffect(startContainer(world, { failures }), input);
    expect(outcome).toMatchObject({ ok: false, ranNothing: false });
    expect(failures.last(uuid1)).toMatchObject({ instanceId: 'i-1', ranNothing: true });
  });

  it('keeps the first and the last part of what a refusing program said, on one line', async () => {
    const world = ready();
    world.host.on(start, { exitCode: 71, stderr: `first\n${'x'.repeat(9_000)}\n\u001b[31mlast` });
    const runner = world.runner({ deploy: 'built-in' });
    const outcome = await runEffect(startContainer(world, { runner }), input);
    const { reason = '' } = outcome as { reason?: string };
    expect(reason).toMatch(/^the start command exited with status 71: first x+ \[…\] x+ \[31mlast$/);
    expect(reason.length).toBeLessThan(1_100);
  });

  it.each(['onWork', 'onStarted'] as const)(
    'is given up, unsent, when the queue does not answer (%s), and makes room for the next',
    async (step) => {
      const world = ready();
      world.queue[step] = () => new Promise(() => {});
      const starts = world.slots(1);
      const outcome = await runEffectFor(world.clock, timeoutMs, startContainer(world, { starts }), input);
      expect(outcome).toMatchObject({ ok: false, code: 'timeout' });
      expect([world.host.commands, starts.underWay, world.clock.pending]).toEqual([[], 0, 0]);
    },
  );

  it('goes no further when the worker is stopped while the queue thinks, and frees its place at once', async () => {
    const world = ready();
    let answer = (): void => {};
    world.queue.onWork = () => new Promise((resolve) => (answer = resolve));
    const starts = world.slots(1);
    const effect = await startEffect(startContainer(world, { starts }), input);
    await effect.stop();
    expect([starts.underWay, world.clock.pending]).toEqual([0, 0]);
    answer();
    await settle();
    expect([world.host.commands, world.queue.startedContainers]).toEqual([[], []]);
  });

  it('tells what a failed command said (R-5)', async () => {
    const world = ready();
    world.host.on(start, { exitCode: 1, stdout: 'out', stderr: 'locked\n' });
    const outcome = await runEffect(startContainer(world), input);
    expect(outcome).toMatchObject({ ok: false, code: 'exit', stdout: 'out', stderr: 'locked\n' });
  });

  it('ends at its deadline when the command hangs, and tells no secret (K-3)', async () => {
    const world = ready();
    world.host.hold(start);
    const outcome = await runEffectFor(world.clock, timeoutMs, startContainer(world), input);
    expect(outcome).toMatchObject({ ok: false, code: 'timeout' });
    expect(JSON.stringify(outcome)).not.toContain(token);
  });

  it('waits its turn, unrecorded, while enough others start (K-38)', async () => {
    const world = ready();
    const hold = world.host.hold(start);
    const logic = startContainer(world, { starts: world.slots(1) });
    const first = runEffect(logic, input);
    const second = runEffect(logic, { ...input, uuid: uuid2 });
    await settle();
    expect(world.queue.startedContainers.map(({ uuid }) => uuid)).toEqual([uuid1]);
    hold.release();
    expect(await Promise.all([first, second])).toEqual([{ ok: true }, { ok: true }]);
    expect([hold.calls.length, world.host.mostInFlight]).toEqual([2, 1]);
  });
});
