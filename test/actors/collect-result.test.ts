import { describe, expect, it } from 'vitest';
import { collectResultWith } from '../../src/actors/collect-result.js';
import { StartFailures } from '../../src/fleet/start-failures.js';
import { QueueError } from '../../src/queue/queue.js';
import { ExecutorError } from '../../src/ssh/executor.js';
import { EffectsWorld, runEffect } from '../support/effects-world.js';
import { uuid1, uuid2 } from '../support/worker-world.js';

const input = { instanceId: 'i-1', uuid: uuid1 };
const timeoutMs = 5_000;

function collectResult(world: EffectsWorld, deploy = 'built-in', logLimitBytes = 1_000) {
  const { executors, queue, clock } = world;
  return collectResultWith({
    executors,
    failures: new StartFailures(world.clock),
    runner: world.runner({ deploy }),
    queue,
    logLimitBytes,
    timeoutMs,
    collects: world.slots(1),
    clock,
  });
}

function printed(stdout = 'done\n', uuid = uuid1, change: object = {}): string {
  const header = {
    uuid,
    exitCode: 3,
    startedAt: 1_000,
    finishedAt: 2_000,
    stdoutBytes: Buffer.byteLength(stdout),
    stderrBytes: 0,
    timedOut: false,
    truncated: false,
    note: '',
    ...change,
  };
  return `${JSON.stringify(header)}\n${Buffer.from(stdout).toString('base64')}\n\n`;
}

function ready(): EffectsWorld {
  const world = new EffectsWorld();
  world.add({ remoteUser: 'ubuntu' });
  world.host.on(/--collect/, { stdout: printed() }).on(/--discard/);
  return world;
}

describe('collecting a result', () => {
  it('charges nothing for a supervisor that died before the command began', async () => {
    const world = new EffectsWorld();
    world.add({ remoteUser: 'root' });
    const fault = { kind: 'instance', text: 'its supervisor ended before the command began' };
    world.host.on(/--collect/, { stdout: printed('', uuid1, { lost: true, fault }) }).on(/--discard/);
    expect(await runEffect(collectResult(world), input)).toEqual({ ok: true });
    expect(world.queue.lostContainers).toEqual([]);
    expect(world.queue.reverted).toMatchObject([{ uuid: uuid1, reason: fault.text }]);
  });

  it('brings it to the queue, and removes it from the instance only then', async () => {
    const world = ready();
    world.queue.onComplete = () => {
      expect(world.host.sent(/--discard/)).toEqual([]);
      return Promise.resolve();
    };
    expect(await runEffect(collectResult(world), input)).toEqual({ ok: true });
    expect(world.host.commands).toEqual([
      expect.stringMatching(new RegExp(`^sudo /var/lib/arvados/crunch-run~\\w{32} --collect ${uuid1}$`)),
      expect.stringMatching(new RegExp(`^sudo /var/lib/arvados/crunch-run~\\w{32} --discard ${uuid1}$`)),
    ]);
    const result = {
      exitCode: 3,
      startedAt: 0,
      finishedAt: world.clock.now(),
      note: '',
      stdout: 'done\n',
      stderr: '',
    };
    expect(world.queue.completed).toEqual([
      { uuid: uuid1, result, origin: { instanceId: 'i-1', attempt: undefined } },
    ]);
  });

  it.each([
    ['instance', 'reverted'],
    ['image', 'lostContainers'],
    ['run', 'lostContainers'],
  ] as const)('is no result when the engine did not run the container (%s): %s', async (kind, list) => {
    const world = ready();
    const text = 'the engine\u001b[2J gave no answer';
    world.host.on(/--collect/, { stdout: printed('', uuid1, { attempt: 2, fault: { kind, text } }) });
    expect(await runEffect(collectResult(world), input)).toEqual({ ok: true });
    expect(world.queue.completed).toEqual([]);
    const reason = 'the engine [2J gave no answer';
    const origin = { instanceId: 'i-1', attempt: 2 };
    const expected =
      kind === 'instance' ? { uuid: uuid1, ...origin, reason } : { uuid: uuid1, reason, origin };
    expect(world.queue[list]).toEqual([expected]);
    expect(world.host.sent(/--discard/)).toHaveLength(1);
  });

  it.each([
    ['in 1970', 1_000],
    ['in 2106', 4_300_000_000_000],
  ])('reckons times of a run by uptimes and its own clock when that of the host is %s', async (_, hostAt) => {
    const world = ready();
    const now = world.clock.now();
    const host = { startedAt: hostAt, finishedAt: hostAt + 5_000, durationMs: 4_000, endedAgoMs: 3_000 };
    world.host.on(/--collect/, { stdout: printed('', uuid1, host) });
    expect(await runEffect(collectResult(world), input)).toEqual({ ok: true });
    expect(world.queue.completed[0]!.result).toMatchObject({
      startedAt: now - 7_000,
      finishedAt: now - 3_000,
    });
    expect(Object.keys(world.queue.completed[0]!.result)).not.toContain('hostTimes');
  });

  it('takes a run to have ended just now when the program says nothing of uptimes', async () => {
    const world = ready();
    expect(await runEffect(collectResult(world), input)).toEqual({ ok: true });
    const { startedAt, finishedAt } = world.queue.completed[0]!.result;
    expect([startedAt, finishedAt]).toEqual([0, world.clock.now()]);
  });

  it('tells the queue that a container is lost whose supervisor was killed', async () => {
    const world = new EffectsWorld();
    world.add({ remoteUser: 'ubuntu' });
    world.host.on(/--collect/, { stdout: printed('', uuid1, { lost: true, note: 'gone' }) }).on(/--discard/);
    expect(await runEffect(collectResult(world), input)).toEqual({ ok: true });
    expect([world.queue.completed, world.queue.lostContainers]).toEqual([
      [],
      [{ uuid: uuid1, reason: 'gone', origin: { instanceId: 'i-1', attempt: undefined } }],
    ]);
    expect(world.host.sent(/--discard/)).toHaveLength(1);
  });

  it.each([
    ['taken', { kind: 'taken', state: 'Complete', attempt: 3 }],
    ['refused as that of another attempt', { kind: 'refused', because: 'it is of attempt 3' }],
  ] as const)(
    'names instance and attempt, and removes only that attempt when it is %s',
    async (_, verdict) => {
      const world = ready();
      world.queue.verdict = verdict;
      world.host.on(/--collect/, { stdout: printed('', uuid1, { attempt: 3 }) });
      expect(await runEffect(collectResult(world), input)).toEqual({ ok: true });
      expect(world.queue.completed).toMatchObject([{ origin: { instanceId: 'i-1', attempt: 3 } }]);
      expect(world.host.only(/--discard/).command).toMatch(new RegExp(`--discard ${uuid1} 3$`));
    },
  );

  it('does nothing for a runner that reports its results itself', async () => {
    const world = ready();
    expect(await runEffect(collectResult(world, ''), input)).toEqual({ ok: true });
    expect(world.host.commands).toEqual([]);
  });

  it('keeps it on the instance when the queue did not take it', async () => {
    const world = ready();
    world.queue.onComplete = () => Promise.reject(new QueueError('unavailable', 'no disk'));
    expect(await runEffect(collectResult(world), input)).toMatchObject({ ok: false, code: 'unavailable' });
    expect(world.host.sent(/--discard/)).toEqual([]);
  });

  it('keeps it on the instance when the queue does not answer', async () => {
    const world = ready();
    let isAsked = false;
    world.queue.onComplete = () => {
      isAsked = true;
      return new Promise(() => {});
    };
    const outcome = runEffect(collectResult(world), input);
    await expect.poll(() => isAsked).toBe(true);
    await world.clock.advance(timeoutMs);
    expect(await outcome).toMatchObject({ ok: false, code: 'timeout' });
    expect([world.host.sent(/--discard/), world.clock.pending]).toEqual([[], 0]);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', 'sorry\n'],
    ['half of it', printed('a longer text').slice(0, -8)],
    ['that of another container', printed('x', uuid2)],
  ])('neither stores nor removes anything when the program prints %s', async (_, stdout) => {
    const world = ready();
    world.host.on(/--collect/, { stdout });
    expect(await runEffect(collectResult(world), input)).toMatchObject({ ok: false, code: 'fault' });
    expect([world.queue.completed, world.host.sent(/--discard/)]).toEqual([[], []]);
  });

  it('reads no more than the log limit allows', async () => {
    const world = ready();
    world.host.on(/--collect/, { stdout: printed('x'.repeat(100_000)) });
    const outcome = await runEffect(collectResult(world), input);
    expect(outcome).toMatchObject({ ok: false, code: 'too-much-output' });
    expect(await runEffect(collectResult(world, 'built-in', 100_000), input)).toEqual({ ok: true });
  });

  it.each([
    ['fails', { exitCode: 1 }],
    ['is cut off', { error: new ExecutorError('closed', 'lost') }],
  ])('is done though the discard %s, as the result is home and will be listed again', async (_, reply) => {
    const world = ready();
    world.host.on(/--discard/, reply);
    expect(await runEffect(collectResult(world), input)).toEqual({ ok: true });
    expect(world.queue.completed).toHaveLength(1);
  });

  it('sends nothing for an id with shell characters (K-26)', async () => {
    const world = ready();
    const outcome = await runEffect(collectResult(world), { ...input, uuid: `${uuid1};reboot` });
    expect(outcome).toMatchObject({ ok: false, code: 'unsafe' });
    expect(world.host.commands).toEqual([]);
  });

  it('ends at its deadline when the command hangs (K-3)', async () => {
    const world = ready();
    world.host.hold(/--collect/);
    const outcome = runEffect(collectResult(world), input);
    await expect.poll(() => world.host.commands.length).toBe(1);
    await world.clock.advance(timeoutMs);
    expect(await outcome).toMatchObject({ ok: false, code: 'timeout' });
  });
});
