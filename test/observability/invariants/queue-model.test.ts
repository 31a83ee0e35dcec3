import { describe, expect, it } from 'vitest';
import type { PlannedContainer } from '../../../src/fleet/dispatcher.js';
import type { BreakerView } from '../../../src/domain/breaker-view.js';
import { queueSight, type QueueFacts } from '../../../src/daemon/queue-sight.js';
import type { Violation } from '../../../src/observability/invariants/invariants.js';
import { QueueModel, type QueueSight } from '../../../src/observability/invariants/queue-model.js';
import { SteadyTime } from '../../../src/observability/invariants/monotonic-time.js';
import type { WaitReason } from '../../../src/policy/wait-reason.js';
import type { InstanceView } from '../../../src/domain/instance-view.js';

const minute = 60_000;
const epoch = 1_000_000;

/** One check a minute from `from` on; how many minutes it takes until the first violation. */
function minutesUntilStalled(look: (at: number) => QueueSight | undefined, most = 60): number | undefined {
  const violations: Violation[] = [];
  const model = new QueueModel(new SteadyTime(), (violation) => violations.push(violation));
  model.moved(epoch);
  for (let minutes = 1; minutes <= most; minutes++) {
    model.check(epoch + minutes * minute, () => look(epoch + minutes * minute));
    if (violations.length > 0) return minutes;
  }
  return undefined;
}

describe('the monitor of the queue', () => {
  it('reports a queue that does not move though nothing stops it, with the reason', () => {
    const violations: Violation[] = [];
    const model = new QueueModel(new SteadyTime(), (violation) => violations.push(violation));
    model.moved(epoch);
    for (let minutes = 1; minutes <= 7; minutes++)
      model.check(epoch + minutes * minute, () => ({ container: 'c1', reason: 'no quota', endsAt: 0 }));
    expect(violations).toEqual([
      {
        invariant: 'stalled',
        at: epoch + 6 * minute,
        container: 'c1',
        what: 'nothing moved for 360 s, and c1 waits: no quota',
      },
    ]);
  });

  it('waits for what ends by itself, and some minutes longer', () => {
    const endsAt = epoch + 20 * minute;
    expect(minutesUntilStalled(() => ({ container: 'c1', reason: '', endsAt }))).toBe(26);
    expect(minutesUntilStalled(() => ({ container: 'c1', reason: '', endsAt: Infinity }))).toBeUndefined();
    expect(minutesUntilStalled(() => undefined)).toBeUndefined();
  });

  it('does not look at the queue while something moves', () => {
    let looks = 0;
    const model = new QueueModel(new SteadyTime(), () => {});
    for (let minutes = 0; minutes < 60; minutes++) {
      model.moved(epoch + minutes * minute);
      model.check(epoch + minutes * minute, () => void looks++);
    }
    expect(looks).toBe(0);
  });
});

const facts = (wait: WaitReason, more: Partial<QueueFacts> = {}): QueueFacts => ({
  containers: [{ entry: { container: { uuid: 'c1' } }, wait } as PlannedContainer],
  instances: [],
  breakers: [],
  running: 0,
  ...more,
});
const instance = (view: Partial<InstanceView>): InstanceView =>
  ({ workerState: 'idle', idleBehavior: 'run', ...view }) as InstanceView;
const quota: BreakerView = { key: 'quota', state: 'open', reason: '', until: 5_000 };
const atQuota: WaitReason = { code: 'cloud-limit', position: 1 };

describe('what a queue waits for', () => {
  it('is nothing while quota is held without any instance: that pause is short (L-13)', () => {
    expect(queueSight(facts(atQuota, { breakers: [quota] }))).toMatchObject({ container: 'c1', endsAt: 0 });
  });

  it('is the end of the hold, a container that runs, an instance under way, or its operator', () => {
    const end = (more: Partial<QueueFacts>) => queueSight(facts(atQuota, more))?.endsAt;
    expect(end({ breakers: [quota], instances: [instance({})] })).toBe(5_000);
    expect(end({ running: 1 })).toBe(Infinity);
    expect(end({ instances: [instance({ workerState: 'booting' })] })).toBe(Infinity);
    expect(end({ instances: [instance({ idleBehavior: 'hold' })] })).toBe(Infinity);
    expect(end({ instances: [instance({})] })).toBe(0);
  });

  it('is the next trial of a type, of the pace, or of a boot', () => {
    const capacity: BreakerView = { ...quota, key: 'capacity: type small' };
    const types: WaitReason = { code: 'types-at-capacity', position: 1, instanceTypes: 'small' };
    expect(queueSight(facts(types, { breakers: [capacity] }))?.endsAt).toBe(5_000);
    expect(queueSight(facts(types, { breakers: [quota] }))?.endsAt).toBe(0);
    expect(queueSight(facts({ code: 'paced', position: 1, retryAt: 7_000 }))?.endsAt).toBe(7_000);
    const held: WaitReason = { code: 'protected', position: 1, until: 9_000, because: '' };
    expect(queueSight(facts(held))?.endsAt).toBe(9_000);
  });

  it('is not judged of containers that their owners hold up, or that an attempt serves', () => {
    expect(queueSight(facts({ code: 'priority-zero', state: 'Queued' }))).toBeUndefined();
    expect(queueSight(facts({ code: 'preparing' }))).toBeUndefined();
  });
});
