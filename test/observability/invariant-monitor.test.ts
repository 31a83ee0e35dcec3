import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import type { JournalEntry } from '../../src/journal/journal.js';
import { createLog } from '../../src/observability/log.js';
import { Metrics } from '../../src/observability/metrics.js';
import { Reporter } from '../../src/observability/reporter.js';
import { recordedQueue } from '../../src/queue/observed-queue.js';
import { HeapClock } from '../../src/simulation/heap-clock.js';
import { ScriptedQueue } from '../support/scripted-queue.js';
import { smallType, uuid1, WorkerWorld, type WorldOptions } from '../support/worker-world.js';

function reporting(yaml = ''): { reporter: Reporter; journal: JournalEntry[]; metrics: Metrics } {
  const config = parseConfig(`clusterId: zzzzz\ndriver: loopback\n${yaml}`, { path: 'c.yaml', env: {} });
  const clock = new HeapClock(1_000_000);
  const journal: JournalEntry[] = [];
  const metrics = new Metrics({
    clock,
    workers: () => [],
    atQuota: () => false,
    typeNames: () => [],
    queueEntries: () => [],
    schedule: () => ({
      allocatedNotStarted: 0,
      overQuota: 0,
      longestWaitSeconds: 0,
      last503Seconds: 0,
      maxContainers: 0,
    }),
  });
  const append = (entry: JournalEntry): void => void journal.push(entry);
  const reporter = new Reporter({ config, clock, log: createLog('silent'), journal: { append }, metrics });
  return { reporter, journal, metrics };
}

/** Boots, runs a container, is held for a while, runs again, idles, goes. */
async function life(options: Pick<WorldOptions, 'sabotage'>): Promise<JournalEntry[]> {
  const { reporter, journal } = reporting();
  const world: WorkerWorld = new WorkerWorld({
    ...options,
    observe: (event, before, after, step) => reporter.workers.stepped(event, before, after, step),
  });
  const { instance } = world.actor.getSnapshot().context;
  const entry = { instance, instanceType: smallType, actor: world.actor };
  reporter.workers.appeared({ ...entry, appearedInList: 1, missed: 0, missedSince: 0, breakdowns: 0 });
  await world.probe();
  await world.assign(uuid1);
  world.list = () => ({
    ok: true,
    durationMs: 1,
    listing: { live: [], stale: [], ended: [uuid1], broken: false, interruption: '' },
  });
  await world.probe();
  await world.send({ type: 'operator.hold', because: 'to look at it' });
  await world.clock.advance(300_000);
  await world.send({ type: 'operator.run', because: 'seen' });
  await world.clock.advance(300_000);
  return journal;
}

const violations = (journal: readonly JournalEntry[]) =>
  journal.filter(({ kind }) => kind === 'invariant.violated');

describe('the monitor of the running daemon', () => {
  it('finds nothing in the life of the real worker', async () => {
    const journal = await life({});
    expect(violations(journal)).toEqual([]);
    expect(journal.filter(({ kind }) => kind === 'worker.transition').length).toBeGreaterThan(3);
  });

  it('finds a worker that forgets that it is on hold (T-93)', async () => {
    const journal = await life({
      sabotage: (machine) => machine.provide({ guards: { isNotHeld: () => true } }),
    });
    expect(violations(journal)).toMatchObject([
      { instance: 'i-1', to: 'hold-is-kept', because: expect.stringContaining('i-1 is on hold') as string },
    ]);
  });

  it.each([
    ['is queued again by its retry policy', 'Queued', [], 'container.attempt-ended'],
    ['is Complete', 'Complete', ['no-second-run'], 'container.complete'],
  ] as const)('finds a second run of a container that %s', async (_, state, found, kind) => {
    const { reporter, journal, metrics } = reporting();
    const scripted = new ScriptedQueue();
    const queue = recordedQueue(scripted, reporter);
    const world: WorkerWorld = new WorkerWorld({
      observe: (event, before, after, step) => reporter.workers.stepped(event, before, after, step),
    });
    const entry = {
      instance: world.actor.getSnapshot().context.instance,
      instanceType: smallType,
      actor: world.actor,
    };
    reporter.workers.appeared({ ...entry, appearedInList: 1, missed: 0, missedSince: 0, breakdowns: 0 });
    await world.probe();
    await world.assign(uuid1);
    scripted.verdict = { kind: 'taken', state, attempt: 1 };
    const result = { exitCode: 75, startedAt: 1, finishedAt: 2, note: '', stdout: '', stderr: '' };
    await queue.complete(uuid1, result, { instanceId: 'i-1', attempt: 1 });
    await world.probe();
    await world.assign(uuid1);
    expect(violations(journal).map(({ to }) => to)).toEqual(found);
    const data = { attempt: 1, exitCode: 75, startedAt: 1, finishedAt: 2 };
    expect(journal.filter((each) => each.kind === kind)).toMatchObject([
      { container: uuid1, instance: 'i-1', because: 'it exited with status 75', data },
    ]);
    const outcome = state === 'Queued' ? 'retried' : 'complete';
    expect(await metrics.registry.metrics()).toContain(
      `longshore_attempts_ended_total{outcome="${outcome}"} 1`,
    );
  });

  it('journals ten refused claims of an instance a minute, and counts all', async () => {
    const { reporter, journal, metrics } = reporting();
    const scripted = new ScriptedQueue();
    scripted.verdict = { kind: 'refused', because: 'it comes from i-2, and attempt 3 was given to i-1' };
    const queue = recordedQueue(scripted, reporter);
    const result = { exitCode: 0, startedAt: 1, finishedAt: 2, note: '', stdout: '', stderr: '' };
    for (let each = 0; each < 500; each++)
      await queue.complete(uuid1, result, { instanceId: 'i-2', attempt: 3 });
    await queue.complete(uuid1, result, { instanceId: 'i-3', attempt: 2 });
    const refused = journal.filter(({ kind }) => kind === 'container.claim-refused');
    expect(refused.map(({ instance }) => instance)).toEqual([...Array<string>(10).fill('i-2'), 'i-3']);
    expect(refused[0]).toMatchObject({ container: uuid1, data: { what: 'result', attempt: 3 } });
    expect(await metrics.registry.metrics()).toContain('longshore_claims_refused_total{what="result"} 501');
  });

  it('counts what it finds, by invariant', async () => {
    const { reporter, metrics } = reporting('pool: { maxConcurrentCreates: 1 }');
    const launch = { instanceType: smallType, startedAt: 0, isListed: false, zone: '' };
    reporter.launchRequested({ ...launch, launchId: 'launch-1', fingerprint: 'a' }, 'wanted');
    reporter.launchRequested({ ...launch, launchId: 'launch-2', fingerprint: 'b' }, 'wanted');
    const text = await metrics.registry.metrics();
    expect(text).toContain('longshore_invariant_violations_total{invariant="creates-are-bounded"} 1');
    expect(text).toContain('longshore_invariant_violations_total{invariant="one-place"} 0');
  });
});
