import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { autoProbeRate, ProbePacer } from '../../src/policy/probe-queue.js';

/** When each probe begins, for probes that take no time and are due again an interval later. */
function simulate(workers: number, rate: number, intervalMs: number, untilMs: number): number[] {
  const pacer = new ProbePacer(rate, 0);
  for (let id = 0; id < workers; id++) pacer.schedule(`w${id}`, 0, false);
  const starts: number[] = [];
  for (let now = pacer.nextAt(0)!; now <= untilMs; now = pacer.nextAt(now)!) {
    for (const id of pacer.take(now)) {
      starts.push(now);
      pacer.schedule(id, now + intervalMs, false);
    }
  }
  return starts;
}

function mostWithin(starts: readonly number[], windowMs: number): number {
  return Math.max(...starts.map((from) => starts.filter((at) => at >= from && at < from + windowMs).length));
}

describe('the probe pacer', () => {
  it('begins no more than ten probes in any second for a thousand workers, plus one (T-56, P-2, P-3)', () => {
    const starts = simulate(1_000, 10, 10_000, 20_000);
    expect(mostWithin(starts, 1_000)).toBeLessThanOrEqual(11);
    expect(starts.length).toBeGreaterThanOrEqual(199);
  });

  it('keeps to its rate in every window, whatever the rate (T-96)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 100, max: 3_000 }),
        (rate, workers, windowMs) => {
          const starts = simulate(workers, rate, 500, 5_000);
          expect(mostWithin(starts, windowMs)).toBeLessThanOrEqual((rate * windowMs) / 1_000 + 1);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('lets new and booting workers go first (K-2)', () => {
    const pacer = new ProbePacer(1, 0);
    for (let id = 0; id < 100; id++) pacer.schedule(`old${id}`, 0, false);
    pacer.schedule('new', 0, true);
    expect(pacer.take(0)).toEqual(['new']);
  });

  it('gives every third turn to one that serves, however many boot at once (K-2)', () => {
    const pacer = new ProbePacer(1, 0);
    pacer.schedule('old', 0, false);
    const taken: string[] = [];
    for (let now = 0; now <= 10_000; now += 1_000) {
      for (const id of ['boots1', 'boots2', 'boots3']) pacer.schedule(id, now, true);
      taken.push(...pacer.take(now));
    }
    expect(taken.indexOf('old')).toBe(2);
  });

  it('never takes one that was removed, nor one twice', () => {
    const pacer = new ProbePacer(1_000, 0);
    pacer.schedule('a', 0, false);
    pacer.schedule('a', 5, false);
    pacer.schedule('b', 0, false);
    pacer.remove('b');
    expect([pacer.take(0), pacer.take(10), pacer.nextAt(10)]).toEqual([['a'], [], undefined]);
  });

  it('serves in the order of urgency, due time and arrival, whatever is scheduled, moved and removed', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('schedule' as const),
        id: fc.integer({ min: 0, max: 8 }),
        inMs: fc.nat(500),
        urgent: fc.boolean(),
      }),
      fc.record({ kind: fc.constant('remove' as const), id: fc.integer({ min: 0, max: 8 }) }),
      fc.record({ kind: fc.constant('take' as const), afterMs: fc.nat(400) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const pacer = new ProbePacer(5, 0);
        const naive = new Map<string, { dueAt: number; urgent: boolean; order: number }>();
        let [now, order, turn] = [0, 0, 0];
        for (const each of steps) {
          if (each.kind === 'schedule') {
            const id = `w${each.id}`;
            const known = naive.get(id);
            const dueAt = Math.min(known?.dueAt ?? Infinity, now + each.inMs);
            naive.set(id, {
              dueAt,
              urgent: each.urgent || (known?.urgent ?? false),
              order: known?.order ?? order++,
            });
            pacer.schedule(id, now + each.inMs, each.urgent);
          } else if (each.kind === 'remove') {
            naive.delete(`w${each.id}`);
            pacer.remove(`w${each.id}`);
          } else {
            now += each.afterMs;
            for (const id of pacer.take(now)) {
              const isPlainTurn = ++turn % 3 === 0;
              const ready = [...naive].filter(([, due]) => due.dueAt <= now);
              ready.sort(
                ([, a], [, b]) =>
                  (Number(b.urgent) - Number(a.urgent)) * (isPlainTurn ? -1 : 1) ||
                  a.dueAt - b.dueAt ||
                  a.order - b.order,
              );
              expect(id).toBe(ready[0]![0]);
              naive.delete(id);
            }
          }
          expect(pacer.size).toBe(naive.size);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('grows its rate with the fleet, so that each worker has its turn in time (K-2)', () => {
    expect([autoProbeRate(5, 10_000), autoProbeRate(1_000, 10_000)]).toEqual([10, 100]);
  });
});
