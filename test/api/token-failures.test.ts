import pino from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { clientGroup } from '../../src/api/client-address.js';
import { LogBudget } from '../../src/api/log-budget.js';
import { Sessions } from '../../src/api/session.js';
import { TokenFailures } from '../../src/api/token-failures.js';
import type { PageSession } from '../../src/domain/page-session.js';
import type { JournalEntry } from '../../src/journal/journal.js';
import { HeapClock } from '../../src/simulation/heap-clock.js';

describe('wrong tokens', () => {
  let clock: HeapClock;
  let entries: JournalEntry[];
  let refused: string[];
  let failures: TokenFailures;

  beforeEach(() => {
    clock = new HeapClock();
    entries = [];
    refused = [];
    failures = new TokenFailures({
      clock,
      log: pino({ level: 'silent' }),
      journal: { append: (entry) => void entries.push(entry) },
      metrics: { clientRefused: (reason) => void refused.push(reason) },
    });
  });

  it('are one entry of the journal a minute, with their number and addresses, however many there are', async () => {
    for (let second = 0; second < 180; second++) {
      for (let index = 0; index < 100; index++) failures.record(`10.0.${index % 50}.1`);
      await clock.advance(1_000);
    }
    await clock.advance(600_000);
    expect(entries.length).toBeLessThanOrEqual(4);
    expect(entries.reduce((sum, { data }) => sum + Number(data!['count']), 0)).toBe(18_000);
    expect(entries[0]!.because).toBe('1 request with a wrong management token from 1 address');
    expect(Object.keys(entries[1]!.data!['addresses'] as object)).toHaveLength(10);
    expect(refused.filter((reason) => reason === 'wrong-token')).toHaveLength(18_000);
  });

  it('of one address have to wait after 20 a minute, those of another do not', async () => {
    const waits = Array.from({ length: 30 }, () => failures.record('10.0.0.1'));
    expect(waits.filter((wait) => wait === undefined)).toHaveLength(20);
    expect(waits.at(-1)).toBe(3);
    expect(failures.record('10.0.0.2')).toBeUndefined();
    await clock.advance(3_000);
    expect(failures.record('10.0.0.1')).toBeUndefined();
    expect(failures.record('10.0.0.1')).toBeGreaterThan(0);
  });

  it('are counted for a whole IPv6 network, and the same for an IPv4 address in any form', () => {
    expect(clientGroup('2001:db8:1:2:3:4:5:6')).toBe(clientGroup('2001:db8:1:2::9'));
    expect(clientGroup('2001:db8::1')).not.toBe(clientGroup('2001:db8:0:1::1'));
    expect(clientGroup('::ffff:10.0.0.1')).toBe(clientGroup('10.0.0.1'));
  });

  it('left out of the log are counted', async () => {
    const budget = new LogBudget(clock, { most: 2, intervalMs: 60_000 });
    const written: number[] = [];
    const spend = (times: number): void => {
      for (let index = 0; index < times; index++) budget.spend((leftOut) => void written.push(leftOut));
    };
    spend(10);
    await clock.advance(60_000);
    spend(3);
    expect(written).toEqual([0, 0, 8, 0]);
  });
});

describe('a session', () => {
  const opened = (): { sessions: (token?: string) => Sessions; fail(): void; clock: HeapClock } => {
    const clock = new HeapClock();
    const rows = new Map<string, PageSession>();
    let isDown = false;
    const answer = <T>(value: T): Promise<T> =>
      isDown ? Promise.reject(new Error('the store is away')) : Promise.resolve(value);
    const store = {
      add: (session: PageSession) => answer(void rows.set(session.hash, session)),
      find: (hash: string) => answer(rows.get(hash)),
      list: () => answer([...rows.values()]),
      remove: (hash: string) => answer(void rows.delete(hash)),
    };
    return {
      clock,
      fail: () => (isDown = true),
      sessions: (managementToken = 'a') => new Sessions({ managementToken, store, clock }),
    };
  };

  it('ends with a change of the management token, and after twelve hours', async () => {
    const { sessions, clock } = opened();
    const { value } = await sessions().open('127.0.0.1');
    expect([await sessions().isOpen(value), await sessions('b').isOpen(value)]).toEqual([true, false]);
    await clock.advance(12 * 3_600_000);
    expect(await sessions().isOpen(value)).toBe(false);
  });

  it('stays open while the store is away, where it was open before, and is not opened anew', async () => {
    const { sessions, fail, clock } = opened();
    const here = sessions();
    const { value } = await here.open('127.0.0.1');
    expect(await here.isOpen(value)).toBe(true);
    fail();
    await clock.advance(60_000);
    expect(await here.isOpen(value)).toBe(true);
    await expect(sessions().isOpen(value)).rejects.toThrow('away');
    await expect(here.open('127.0.0.1')).rejects.toThrow('away');
  });

  it('that ended elsewhere ends its streams here', async () => {
    const { sessions, clock } = opened();
    const [here, there] = [sessions(), sessions()];
    const { value } = await here.open('127.0.0.1');
    let isEnded = false;
    here.whenEnded(value, () => (isEnded = true));
    expect(await here.isOpen(value)).toBe(true);
    await there.end(value);
    await clock.advance(5_000);
    await expect.poll(() => isEnded).toBe(true);
  });
});
