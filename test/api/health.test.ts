import { describe, expect, it } from 'vitest';
import { assertAccepting, healthOf } from '../../src/api/health.js';
import { QueueError } from '../../src/queue/queue.js';
import { HeapClock } from '../../src/simulation/heap-clock.js';
import { recordingReporter } from '../model/worker/recording-reporter.js';

const uuid = 'zzzzz-dz642-000000000000001';

describe('the health of the dispatcher', () => {
  const begin = (state: 'leading' | 'standing by' = 'leading', storeFault?: string) => {
    const reporter = recordingReporter(new HeapClock(0), () => {});
    const leader = { name: 'a', url: '' };
    const deps = {
      role: () => ({ state, leader, epoch: 1, fault: undefined }),
      pool: { health: () => undefined } as never,
      journal: { state: () => ({ waiting: 0, dropped: 0, fault: undefined }) } as never,
      attemptFault: () => reporter.attemptFault(),
      storeFault: () => storeFault,
      dispatchFault: () => ({ any: reporter.dispatchFault(), stop: reporter.dispatchStop() }),
    };
    return { reporter, deps };
  };
  const away = new QueueError('unavailable', 'the store did not take a change: its disk is full: make room');

  it('is bad when an operation fails again and again, not once, with the reason and since when', () => {
    const { reporter, deps } = begin();
    reporter.failed('lock', uuid, away);
    reporter.failed('lock', uuid, away);
    expect(healthOf(deps)).toBeUndefined();
    reporter.failed('lock', uuid, away);
    expect(healthOf(deps)).toBe(
      `lock of ${uuid} failed 3 times in a row since 1970-01-01T00:00:00.000Z: ${away.message}`,
    );
    // Others may be dispatched.
    expect(() => assertAccepting(deps)).not.toThrow();
    reporter.succeeded('lock', uuid);
    expect(healthOf(deps)).toBeUndefined();
  });

  it('is not bad for containers that their owners changed meanwhile', () => {
    const { reporter, deps } = begin();
    for (let time = 0; time < 5; time++)
      reporter.failed('lock', uuid, new QueueError('conflict', 'Cancelled'));
    expect(healthOf(deps)).toBeUndefined();
  });

  it('is bad, and no container is accepted, while the queue cannot be read', () => {
    const { reporter, deps } = begin();
    for (let time = 0; time < 3; time++) reporter.fetchFailed(away);
    expect(healthOf(deps)).toMatch(/^reading the queue failed 3 times in a row/);
    expect(() => assertAccepting(deps)).toThrow(/^submission refused: reading the queue failed/);
    reporter.fetched();
    expect(() => assertAccepting(deps)).not.toThrow();
  });

  it('is bad, and no container is accepted, while a bug ends each scheduling pass', () => {
    const { reporter, deps } = begin();
    for (let time = 0; time < 3; time++) reporter.passed({ error: new TypeError('x is undefined') });
    expect(healthOf(deps)).toMatch(/^a scheduling pass failed 3 times in a row .*: x is undefined$/);
    expect(() => assertAccepting(deps)).toThrow('submission refused');
    reporter.passed();
    expect(healthOf(deps)).toBeUndefined();
  });

  it('names the reason of starts that fail alike, until a container runs', () => {
    const { reporter, deps } = begin();
    const outcome = {
      ok: false,
      code: 'exit',
      exitCode: 127,
      message: 'exit status 127',
      expected: true,
    } as const;
    const reason = 'the command exited with status 127: setsid: not found';
    const streams = { stdout: '', stderr: 'setsid: not found' };
    for (let n = 1; n <= 5; n++) {
      expect(healthOf(deps)).toBeUndefined();
      const container = `zzzzz-dz642-00000000000000${n}`;
      reporter.decided({ kind: 'start', container, instance: 'i-1', because: 'it fits' });
      const failure = { ...outcome, ...streams, reason, fault: 'instance' } as const;
      reporter.workers.fact('i-1', {
        type: 'container.startReturned',
        uuid: container,
        queuedMs: 0,
        outcome: failure,
      });
      // The end of the same attempt, as the queue is reconciled, is no further failure.
      reporter.attemptFailed(container, 'its runner ended before it ran');
    }
    expect(healthOf(deps)).toBe(`the last 5 attempts failed alike: ${reason}`);
    reporter.attemptSucceeded(uuid);
    expect(healthOf(deps)).toBeUndefined();
  });

  it('does not count for a daemon that stands by; a damaged store does', () => {
    const { reporter, deps } = begin('standing by');
    for (let time = 0; time < 3; time++) reporter.fetchFailed(away);
    expect(healthOf(deps)).toBeUndefined();
    expect(() => assertAccepting(deps)).not.toThrow();
    const damaged = begin('standing by', 'the store is damaged since …').deps;
    expect(healthOf(damaged)).toBe('the store is damaged since …');
    expect(() => assertAccepting(damaged)).toThrow('submission refused: the store is damaged');
  });
});
