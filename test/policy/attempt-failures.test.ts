import { describe, expect, it } from 'vitest';
import { AttemptFailures, describeStreak } from '../../src/policy/attempt-failures.js';

/** Attempts of `count` containers that all end with what `reason` says. */
function failing(failures: AttemptFailures, count: number, reason: (n: number) => string): void {
  for (let n = 1; n <= count; n++) {
    failures.started(`c${n}`);
    failures.failed(`c${n}`, reason(n));
  }
}

describe('attempts that fail one after the other', () => {
  it('are a streak from the fifth on, told at the fifth, tenth, twentieth', () => {
    const failures = new AttemptFailures({ now: () => 0 });
    const told: number[] = [];
    for (let n = 1; n <= 25; n++) {
      failures.started('c');
      const streak = failures.failed('c', `exit status 1 of zzzzz-dz642-${String(n).padStart(15, '0')}`);
      if (streak) told.push(streak.count);
      expect(failures.streak()?.count).toBe(n < 5 ? undefined : n);
    }
    expect(told).toEqual([5, 10, 20]);
    expect(describeStreak(failures.streak()!)).toContain('the last 25 attempts failed alike: exit status 1');
  });

  it('are none when their causes differ, or one ran between', () => {
    const failures = new AttemptFailures({ now: () => 0 });
    failing(failures, 20, (n) => (n % 2 ? 'no such image' : 'disk full'));
    expect(failures.streak()).toBeUndefined();
    failing(failures, 4, () => 'disk full');
    failures.succeeded();
    failing(failures, 4, () => 'disk full');
    expect(failures.streak()).toBeUndefined();
  });

  it('count once each, however often their end is heard of', () => {
    const failures = new AttemptFailures({ now: () => 0 });
    failures.started('c');
    for (let n = 0; n < 20; n++) failures.failed('c', 'disk full');
    expect(failures.streak()).toBeUndefined();
  });

  it('are over when a container that was started since runs, or after an hour', () => {
    const running = new Set<string>();
    let now = 0;
    const failures = new AttemptFailures({ now: () => now, hasRun: (uuid) => running.has(uuid) });
    failing(failures, 5, () => 'disk full');
    expect(failures.streak()?.count).toBe(5);
    failures.started('c9');
    expect(failures.streak()?.count).toBe(5);
    running.add('c9');
    expect(failures.streak()).toBeUndefined();
    running.clear();
    failing(failures, 5, () => 'disk full');
    now += 3_600_001;
    expect(failures.streak()).toBeUndefined();
  });
});
