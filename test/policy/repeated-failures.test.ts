import { describe, expect, it } from 'vitest';
import { describeFailures, RepeatedFailures } from '../../src/policy/repeated-failures.js';

describe('failures again and again', () => {
  const begin = () => {
    const clock = { ms: 0 };
    const failures = new RepeatedFailures({ now: () => clock.ms });
    return { clock, failures };
  };

  it('are those that repeat without a success between them, with the first time and the last reason', () => {
    const { clock, failures } = begin();
    for (const reason of ['a', 'b']) failures.failed('reading', reason);
    expect(failures.lasting()).toEqual([]);
    failures.succeeded('reading');
    for (const reason of ['c', 'd', 'e']) {
      clock.ms += 1_000;
      failures.failed('reading', reason);
    }
    expect(failures.lasting()).toMatchObject([{ what: 'reading', count: 3, since: 1_000, reason: 'e' }]);
    failures.succeeded('reading');
    expect(failures.lasting()).toEqual([]);
  });

  it('are told apart by what fails: others that succeed do not hide one', () => {
    const { failures } = begin();
    for (let time = 0; time < 3; time++) {
      failures.failed('lock of a', 'damaged', { isPassing: true });
      failures.failed('lock of c', 'damaged', { isPassing: true });
      failures.succeeded('lock of b');
    }
    expect(describeFailures(failures.lasting())).toBe(
      'lock of a failed 3 times in a row since 1970-01-01T00:00:00.000Z (and 1 other operation): damaged',
    );
  });

  it('end for an operation that is not tried any more, and not for what goes on for ever', () => {
    const { clock, failures } = begin();
    for (let time = 0; time < 3; time++) {
      failures.failed('lock of a', 'damaged', { isPassing: true });
      failures.failed('reading', 'away');
    }
    clock.ms += 3_600_000;
    expect(failures.lasting().map(({ what }) => what)).toEqual(['reading']);
  });

  it('are kept of a bounded number of operations, and of later ones when those are over', () => {
    const { clock, failures } = begin();
    const failAll = (operation: string): void => {
      for (let time = 0; time < 3; time++) {
        for (let each = 0; each < 5_000; each++)
          failures.failed(`${operation} of ${each}`, 'x', { isPassing: true });
      }
    };
    failAll('lock');
    expect(failures.lasting()).toHaveLength(1_000);
    clock.ms += 61_000;
    failAll('unlock');
    expect(failures.lasting()[0]?.what).toBe('unlock of 0');
  });
});
