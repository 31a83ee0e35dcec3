import { describe, expect, it } from 'vitest';
import type { ContainerState } from '../../src/domain/container.js';
import { staleLocks, syncActions } from '../../src/policy/sync.js';
import { container, SchedulingWorld, typeT } from '../support/scheduling-world.js';
import type { RunningView } from '../../src/domain/instance-view.js';
import type { QueueSnapshot } from '../../src/domain/queue-entry.js';

const alive: RunningView = { instanceId: 'i-1', phase: 'running', exitedAt: undefined };
const exited: RunningView = { instanceId: 'i-1', phase: 'exited', exitedAt: 100 };
const { uuid } = container(1);

function queueOf(state: ContainerState, priority: bigint, threshold: number): QueueSnapshot {
  const world = new SchedulingWorld([typeT(1)]).add(container(1, { state, priority }));
  return { entries: world.entries, threshold };
}

function sync(
  state: ContainerState,
  process: RunningView | undefined,
  options: { priority?: number; threshold?: number; mayRunUnseen?: boolean } = {},
): string {
  const queue = queueOf(state, BigInt(options.priority ?? 1), options.threshold ?? 200);
  const running = new Map(process ? [[uuid, process]] : []);
  const actions = syncActions({ queue, running, mayRunUnseen: () => options.mayRunUnseen ?? false });
  return actions.map(({ kind }) => kind).join(' ');
}

describe('where queue and pool disagree', () => {
  it.each([
    ['Running', undefined, {}, 'lost'],
    ['Running', undefined, { mayRunUnseen: true }, ''],
    ['Running', exited, {}, 'lost'],
    ['Running', exited, { threshold: 50, priority: 0 }, 'kill'],
    ['Running', exited, { threshold: 50 }, ''],
    ['Running', alive, { priority: 0 }, 'kill'],
    ['Running', alive, {}, ''],
    ['Complete', alive, {}, 'kill'],
    ['Cancelled', exited, {}, 'kill'],
    ['Complete', undefined, {}, 'forget'],
    ['Queued', alive, {}, 'kill'],
    ['Queued', exited, {}, 'kill'],
    ['Queued', undefined, { priority: 0 }, 'forget'],
    ['Queued', undefined, {}, ''],
    ['Locked', exited, {}, 'requeue'],
    ['Locked', exited, { threshold: 50 }, ''],
    ['Locked', alive, { priority: 0 }, 'kill'],
    ['Locked', alive, {}, ''],
    ['Locked', undefined, { priority: 0 }, 'requeue'],
    ['Locked', undefined, {}, ''],
  ] as const)(
    'treats %s with process %j and %j by "%s" (SY-1, T-70..T-75)',
    (state, process, options, action) => {
      expect(sync(state, process, options)).toBe(action);
    },
  );

  it('gives a reboot as the reason for which a container is lost', () => {
    const running = new Map([[uuid, { ...exited, because: 'the instance rebooted' }]]);
    const actions = syncActions({ queue: queueOf('Running', 1n, 200), running, mayRunUnseen: () => false });
    expect(actions).toMatchObject([{ kind: 'lost', because: 'the instance rebooted' }]);
  });

  it.each([
    ['a process', alive, true, 'disown'],
    ['a process, while its own instance is gone', alive, false, 'disown lost'],
    ['an exit', exited, false, 'disown lost'],
    ['a result on its way', { ...alive, phase: 'ending' }, true, 'disown'],
  ] as const)(
    'holds %s on another instance than the queue names for no sign of it',
    (_, process, may, kinds) => {
      const world = new SchedulingWorld([typeT(1)]);
      world.add({ ...container(1, { state: 'Running' }), instanceId: 'i-2', attempt: 2 });
      const queue = { entries: world.entries, threshold: 200 };
      const actions = syncActions({ queue, running: new Map([[uuid, process]]), mayRunUnseen: () => may });
      expect(actions.map(({ kind }) => kind).join(' ')).toBe(kinds);
      expect(actions[0]).toMatchObject({
        stray: { uuid, instanceId: 'i-1' },
        because: 'the queue places the container on i-2',
      });
    },
  );

  it('kills what is not in the queue (T-74)', () => {
    const queue = { entries: new Map(), threshold: 200 };
    const actions = syncActions({ queue, running: new Map([[uuid, alive]]), mayRunUnseen: () => false });
    expect(actions).toMatchObject([{ kind: 'kill', uuid }]);
  });

  it('leaves a container alone whose result is on its way', () => {
    expect(sync('Complete', { ...alive, phase: 'ending' })).toBe('');
    expect(sync('Cancelled', { ...alive, phase: 'ending' })).toBe('');
  });

  it('calls locks stale only while nothing is known to run (T-67, T-68, FX-6)', () => {
    expect(staleLocks(queueOf('Locked', 1n, 1), new Map())).toEqual([uuid]);
    expect(staleLocks(queueOf('Locked', 1n, 1), new Map([[uuid, alive]]))).toEqual([]);
  });
});
