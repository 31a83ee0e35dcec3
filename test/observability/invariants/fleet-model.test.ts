import { beforeEach, describe, expect, it } from 'vitest';
import { FleetModel, type WorkerSight } from '../../../src/observability/invariants/fleet-model.js';
import {
  invariantNames,
  type Invariant,
  type Violation,
} from '../../../src/observability/invariants/invariants.js';
import type { FleetLimits } from '../../../src/observability/invariants/fleet-limits.js';

const limits: FleetLimits = {
  maxInstances: 2,
  maxConcurrentCreates: 1,
  maxCloudOpsPerSecond: 1,
  maxProbesPerSecond: 0,
  timeoutBootingMs: 600_000,
  timeoutIdleMs: 60_000,
  timeoutProbeMs: 600_000,
  timeoutShutdownMs: 10_000,
  cloudCallTimeoutMs: 300_000,
  quotaHoldOffMs: 60_000,
  quotaRetryMs: 600_000,
  longestRoundMs: 100_000,
};

const provoked = new Set<Invariant>();
let now: number;
let violations: Violation[];
let model: FleetModel;

beforeEach(() => {
  now = 1_000_000;
  violations = [];
  model = new FleetModel(limits, (violation) => {
    provoked.add(violation.invariant);
    violations.push(violation);
  });
});

function began(instance = 'i-1', sight: Partial<WorkerSight> = {}): void {
  model.began(
    { at: now, instance, state: 'booting', behavior: 'run', containers: [], ...sight },
    `fp ${instance}`,
  );
}

function stepped(sight: Partial<WorkerSight>): void {
  const usual = { at: now, instance: 'i-1', event: 'x', state: 'idle', behavior: 'run', containers: [] };
  model.stepped({ ...usual, ...sight } as WorkerSight);
}

/** Minute by minute, as the daemon would. */
function pass(ms: number): void {
  const endAt = now + ms;
  while (now < endAt) {
    now = Math.min(endAt, now + 60_000);
    model.check(now);
  }
}

const broken = (): Invariant[] => violations.map(({ invariant }) => invariant);

/** Boots, runs c1, idles, is destroyed, leaves. */
function life(instance: string, container: string): void {
  began(instance);
  stepped({ instance });
  stepped({ instance, event: 'container.assigned', state: 'running', containers: [container] });
  model.containers.ended(container, 'Complete', now);
  stepped({ instance });
  pass(60_000);
  stepped({ instance, state: 'shutdown', event: 'xstate.after.idleTimeout' });
  model.explained(now, instance, 'idle → shutdown', 'idle for too long');
  model.cloud.destroyed({ instance, startedAt: now, endedAt: now + 100, isDone: true });
  model.bootDecided(now, instance, 'success');
  pass(30_000);
  model.gone(instance);
}

describe('the reference model of a fleet', () => {
  it('finds nothing in ordinary lives, one after another', () => {
    for (let round = 0; round < 20; round++) {
      model.cloud.createAsked(now, `fp i-${round}`);
      model.cloud.createSettled(now, `fp i-${round}`, { instance: `i-${round}` });
      model.listed(now, [`i-${round}`]);
      life(`i-${round}`, `c${round}`);
      model.listed(now, []);
    }
    expect(violations).toEqual([]);
  });

  it('finds a container on two instances, but not one that moved', () => {
    for (const instance of ['i-1', 'i-2', 'i-3']) {
      began(instance);
      stepped({ instance });
    }
    const given = { event: 'container.assigned', state: 'running' as const, containers: ['c1'] };
    stepped({ instance: 'i-1', ...given });
    stepped({ instance: 'i-1' });
    stepped({ instance: 'i-2', ...given });
    model.gone('i-2');
    stepped({ instance: 'i-3', ...given });
    expect(broken()).toEqual([]);
    stepped({ instance: 'i-1', event: 'round.passed', state: 'running', containers: ['c1'] });
    expect(violations).toMatchObject([{ invariant: 'one-place', container: 'c1', instance: 'i-1' }]);
  });

  it('finds a container that is started after its end', () => {
    began();
    stepped({});
    model.containers.ended('c1', 'Complete', now);
    model.containers.ended('c1', 'Complete', now);
    expect(broken()).toEqual([]);
    stepped({ event: 'container.assigned', state: 'running', containers: ['c1'] });
    model.containers.ended('c1', 'Cancelled', now);
    expect(broken()).toEqual(['no-second-run', 'no-second-run']);
  });

  it('finds a state that does not fit the containers (T-90)', () => {
    began();
    stepped({ state: 'running' });
    stepped({ state: 'idle', containers: ['c1'] });
    expect(broken()).toEqual(['service-state', 'service-state']);
  });

  it('finds the end of an instance on hold, unless it was ordered (T-93)', () => {
    for (const instance of ['i-1', 'i-2']) {
      began(instance);
      stepped({ instance, behavior: 'hold', event: 'operator.hold' });
    }
    stepped({ instance: 'i-1', behavior: 'hold', state: 'shutdown', event: 'operator.kill' });
    expect(broken()).toEqual([]);
    stepped({ instance: 'i-2', behavior: 'hold', state: 'shutdown', event: 'scheduler.shutdown' });
    expect(broken()).toEqual(['hold-is-kept']);
    began('i-3', { behavior: 'hold', state: 'idle' });
    stepped({ instance: 'i-3', behavior: 'run', state: 'shutdown', event: 'operator.run' });
    expect(broken()).toHaveLength(1);
    began('i-4', { behavior: 'hold', state: 'idle' });
    stepped({ instance: 'i-4', behavior: 'drain', event: 'node.broken' });
    expect(broken()).toHaveLength(2);
  });

  it('finds a way back from shutdown (T-94)', () => {
    began();
    stepped({ state: 'shutdown' });
    stepped({ state: 'idle' });
    expect(broken()).toEqual(['shutdown-is-final']);
  });

  it('finds work given to an instance that takes none', () => {
    began();
    stepped({ behavior: 'drain', state: 'running', containers: ['c0'] });
    stepped({ behavior: 'drain', state: 'running', containers: ['c0', 'c1'], event: 'round.passed' });
    expect(broken()).toEqual([]);
    stepped({ behavior: 'drain', state: 'running', containers: ['c0', 'c2'], event: 'container.assigned' });
    expect(violations).toMatchObject([{ invariant: 'no-new-work', container: 'c2' }]);
  });

  it('finds a boot that ends twice, but not the boot of a new worker (T-95)', () => {
    began();
    model.bootDecided(now, 'i-1', 'success');
    began();
    model.bootDecided(now, 'i-1', 'aborted');
    expect(broken()).toEqual([]);
    model.bootDecided(now, 'i-1', 'failure');
    expect(broken()).toEqual(['one-boot-outcome']);
  });

  it('finds a destroy of an instance in service, and one repeated too soon', () => {
    began();
    stepped({});
    const destroyed = (): void =>
      model.cloud.destroyed({ instance: 'i-1', startedAt: now, endedAt: now, isDone: true });
    destroyed();
    expect(broken()).toEqual(['destroy-is-decided']);
    stepped({ state: 'shutdown' });
    destroyed();
    now += 10_000;
    destroyed();
    expect(broken()).toHaveLength(1);
    stepped({ state: 'shutdown', event: 'operator.kill' });
    destroyed();
    expect(broken()).toHaveLength(1);
    now += 5_000;
    destroyed();
    expect(broken()).toEqual(['destroy-is-decided', 'destroy-is-paced']);
  });

  it('finds a listed instance of which nothing is known', () => {
    began();
    model.listed(now, ['i-1', 'i-2']);
    expect(broken()).toEqual([]);
    model.listed(now, ['i-1', 'i-2']);
    expect(broken()).toEqual(['every-instance-known']);
    began('i-2');
    model.listed(now, ['i-1', 'i-2']);
    expect(broken()).toHaveLength(1);
  });

  it('finds instances asked for beyond the limit, counting none twice', () => {
    began('i-1');
    model.cloud.createAsked(now, 'fp i-2');
    began('i-2');
    model.cloud.createSettled(now, 'fp i-2', { instance: 'i-2' });
    expect(broken()).toEqual([]);
    model.cloud.createAsked(now, 'fp i-3');
    expect(broken()).toEqual(['quota-is-kept']);
  });

  it('counts an instance no more that is gone, though the call that made it has no answer yet', () => {
    model.cloud.createAsked(now, 'fp i-1');
    began('i-1');
    model.cloud.createAsked(now, 'fp i-2');
    model.cloud.createSettled(now, 'fp i-2', { failure: 'quota' });
    violations.length = 0;
    model.gone('i-1');
    model.cloud.createAsked(now, 'fp i-3');
    expect(broken()).not.toContain('quota-is-kept');
  });

  it('finds instances asked for while the quota is known to be used up', () => {
    began('i-1');
    const refused = (): void => {
      model.cloud.createAsked(now, 'a');
      model.cloud.createSettled(now, 'a', { failure: 'quota' });
    };
    refused();
    expect(broken()).toEqual([]);
    now += 60_000;
    refused();
    expect(broken()).toEqual(['quota-is-kept']);
    pass(600_000);
    violations.length = 0;
    refused();
    model.cloud.quotaReset();
    refused();
    model.gone('i-1');
    refused();
    expect(broken()).toEqual([]);
  });

  it('finds more create calls at once than may be (T-97)', () => {
    model.cloud.createAsked(now, 'a');
    model.cloud.createAsked(now, 'b');
    expect(broken()).toEqual(['creates-are-bounded']);
  });

  it('finds calls that come too fast (T-96)', () => {
    for (let call = 0; call < 60; call++, now += 1_000) model.cloud.called(now, 10, false);
    expect(broken()).toEqual([]);
    for (let call = 0; call < 60; call++, now += 500) model.cloud.called(now, 10, false);
    expect(new Set(broken())).toEqual(new Set(['calls-are-paced']));
  });

  it('finds each state that lasts too long, and no hold', () => {
    const states = ['booting', 'unknown', 'idle', 'running', 'shutdown'] as const;
    for (const state of states) {
      began(state, { state });
      stepped({ instance: state, state, containers: state === 'running' ? ['c1'] : [] });
    }
    began('held', { behavior: 'hold', state: 'idle' });
    began('orphan', { state: 'unknown' });
    stepped({ instance: 'orphan', state: 'unknown', isOrphan: true });
    began('draining', { behavior: 'drain', state: 'idle' });
    model.cloud.createAsked(now, 'never answered');
    violations.length = 0;
    pass(3_600_000);
    expect(new Set(broken())).toEqual(new Set(['waits-end']));
    expect(new Set(violations.map(({ instance }) => instance))).toEqual(
      new Set([...states, 'draining', undefined]),
    );
  });

  it('waits with a provider that fails', () => {
    began();
    stepped({ state: 'shutdown' });
    for (let minute = 0; minute < 60; minute++) {
      pass(60_000);
      model.cloud.called(now, 10, true);
    }
    expect(broken()).toEqual([]);
    pass(3_600_000);
    expect(new Set(broken())).toEqual(new Set(['waits-end']));
  });

  it('lets an idle instance stand ready for as long as it is told to', () => {
    began();
    stepped({});
    for (let minute = 0; minute < 60; minute++) {
      pass(60_000);
      model.kept(now, 'i-1');
    }
    expect(broken()).toEqual([]);
    pass(600_000);
    expect(new Set(broken())).toEqual(new Set(['waits-end']));
  });

  it('lets what answers run for as long as it likes', () => {
    began();
    stepped({ state: 'running', containers: ['c1'], event: 'container.assigned' });
    stepped({ state: 'running', containers: ['c1'] });
    for (let hour = 0; hour < 20; hour++) {
      pass(600_000);
      model.heard(now, 'i-1');
    }
    expect(broken()).toEqual(['no-new-work']);
  });

  it('counts neither the sleep of the machine nor a clock that is set', () => {
    began();
    stepped({});
    pass(30_000);
    now += 8 * 3_600_000;
    model.check(now);
    now -= 9 * 3_600_000;
    model.check(now);
    expect(broken()).toEqual([]);
    pass(120_000);
    expect(broken()).toEqual(['waits-end']);
  });

  it('finds a transition that nobody explained', () => {
    model.explained(now, 'i-1', 'idle → shutdown', 'idle for too long');
    expect(broken()).toEqual([]);
    model.explained(now, 'i-1', 'idle → shutdown', '');
    expect(broken()).toEqual(['cause-is-given']);
  });

  it('reports a queue that does not move though nothing stops it, and no result on its way as a process', () => {
    began();
    stepped({ state: 'running', containers: ['c1'], event: 'x' });
    stepped({ state: 'running', containers: ['c1'], alive: [] });
    began('i-2');
    stepped({ instance: 'i-2', state: 'running', containers: ['c1'] });
    expect(broken()).toEqual([]);
    model.queue.moved(now);
    pass(400_000);
    model.queue.check(now, () => ({ container: 'c2', reason: 'quota', endsAt: 0 }));
    expect(broken()).toEqual(['stalled']);
  });

  it('has been seen to find a breach of each invariant', () => {
    expect([...provoked].sort()).toEqual([...invariantNames].sort());
  });
});
