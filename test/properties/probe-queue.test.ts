import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ProbePacer } from '../../src/policy/probe-queue.js';

const call = fc.record({
  id: fc.integer({ min: 0, max: 8 }).map((n) => `i-${n}`),
  dueInMs: fc.integer({ min: 0, max: 3_000 }),
  isUrgent: fc.boolean(),
  thenMs: fc.integer({ min: 0, max: 700 }),
});

it('begins no more probes than the rate allows in any window, and none before it is due (T-96, P-3)', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(call, { maxLength: 60 }), (rate, calls) => {
      const pacer = new ProbePacer(rate, 0);
      const due = new Map<string, number>();
      const begunAt: number[] = [];
      let now = 0;
      for (const { id, dueInMs, isUrgent, thenMs } of calls) {
        due.set(id, Math.min(due.get(id) ?? Infinity, now + dueInMs));
        pacer.schedule(id, now + dueInMs, isUrgent);
        now += thenMs;
        for (const taken of pacer.take(now)) {
          expect(due.get(taken)).toBeLessThanOrEqual(now);
          due.delete(taken);
          begunAt.push(now);
        }
      }
      for (const [first, from] of begunAt.entries()) {
        for (const [last, to] of begunAt.entries()) {
          if (last >= first)
            expect(last - first + 1).toBeLessThanOrEqual((rate * (to - from)) / 1_000 + 1 + 1e-6);
        }
      }
    }),
  );
});

it('serves everybody who waits, when it is asked at the times it names (K-2)', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(call, { minLength: 1, maxLength: 30 }),
      (rate, calls) => {
        const pacer = new ProbePacer(rate, 0);
        for (const { id, dueInMs, isUrgent } of calls) pacer.schedule(id, dueInMs, isUrgent);
        const waiting = new Set(calls.map(({ id }) => id));
        for (let now: number | undefined = 0, round = 0; now !== undefined; now = pacer.nextAt(now)) {
          for (const id of pacer.take(now)) waiting.delete(id);
          expect(++round).toBeLessThan(200);
        }
        expect([...waiting]).toEqual([]);
      },
    ),
  );
});
