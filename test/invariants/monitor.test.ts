import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import type { JournalEntry } from '../../src/journal/journal.js';
import { createLog } from '../../src/log.js';
import { Metrics } from '../../src/metrics/metrics.js';
import { Reporter } from '../../src/reporter.js';
import { HeapClock } from '../../src/simulation/heap-clock.js';
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
    observe: (event, before, after, step) => reporter.workerStep(event, before, after, step),
  });
  const { instance } = world.actor.getSnapshot().context;
  const entry = { instance, instanceType: smallType, actor: world.actor };
  reporter.appeared({ ...entry, appearedInList: 1, missed: 0, missedSince: 0, breakdowns: 0 });
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
