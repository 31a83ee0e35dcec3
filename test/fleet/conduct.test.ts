import { describe, expect, it } from 'vitest';
import type { RecordedConduct } from '../../src/domain/conduct-view.js';
import { Conduct, type Strike } from '../../src/fleet/conduct.js';
import { instanceLimits, mostForeignIds } from '../../src/domain/instance-limits.js';
import type { Quarantine } from '../../src/domain/instance.js';
import { smallType } from '../support/worker-world.js';

const id = 'i-1';
const most = mostForeignIds(smallType);
const madeUp = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `zzzzz-dz642-${String(from + index).padStart(15, '0')}`);

function watched(given: ReadonlySet<string> = new Set(), recorded = new Map<string, RecordedConduct>()) {
  const strikes: Strike[] = [];
  const quarantines: Quarantine[] = [];
  const world = { now: 1_000_000, isRead: true };
  const conduct = new Conduct({
    clock: { now: () => world.now },
    isGiven: (uuid) => given.has(uuid),
    knowsQueue: () => world.isRead,
    recorded,
    store: {
      keep: (kept) => recorded.set(kept.instanceId, kept),
      gone: (instanceId) => recorded.delete(instanceId),
    },
    onStrike: (strike) => strikes.push(strike),
    onQuarantine: (_, quarantine) => quarantines.push(quarantine),
  });
  return { conduct, strikes, quarantines, world, recorded };
}

describe('the containers that an instance names', () => {
  it('are taken up when they were never given to it, as long as they are few: an earlier daemon may have given them', () => {
    const { conduct, quarantines } = watched();
    expect(conduct.refusedIds(id, smallType, madeUp(most)).size).toBe(0);
    expect(conduct.refusedIds(id, smallType, madeUp(most)).size).toBe(0);
    expect(quarantines).toEqual([]);
  });

  it('breach a limit when too many of them were never given to it, at once or one by one', () => {
    for (const step of [most + 1, 1]) {
      const { conduct, strikes, quarantines } = watched();
      for (let from = 0; from <= most; from += step) conduct.refusedIds(id, smallType, madeUp(step, from));
      expect(strikes.map(({ kind }) => kind)).toEqual(['list']);
      expect(quarantines).toHaveLength(1);
      expect(quarantines[0]!.because).toContain(`${most + 1} containers that it was never given`);
    }
  });

  it('are only those that the queue places there once the instance is in quarantine', () => {
    const [mine] = madeUp(1, 500);
    const { conduct } = watched(new Set([mine!]));
    const refused = conduct.refusedIds(id, smallType, [mine!, ...madeUp(most + 1)]);
    expect([refused.has(mine!), refused.size]).toEqual([false, most + 1]);
  });

  it('stay its own when the queue forgot them: their results may be listed a moment longer', () => {
    const given = new Set(madeUp(most + 20));
    const { conduct, quarantines } = watched(given);
    conduct.refusedIds(id, smallType, given);
    given.clear();
    expect(conduct.refusedIds(id, smallType, madeUp(most + 20)).size).toBe(0);
    for (const uuid of madeUp(most + 20, 900)) conduct.gives(id, uuid);
    expect(conduct.refusedIds(id, smallType, madeUp(most + 20, 900)).size).toBe(0);
    expect(quarantines).toEqual([]);
  });

  it('are not judged before the queue was read, but for their number', () => {
    const { conduct, world, quarantines } = watched();
    world.isRead = false;
    expect(conduct.refusedIds(id, smallType, madeUp(instanceLimits.givenIds)).size).toBe(0);
    expect(quarantines).toEqual([]);
    expect(conduct.refusedIds(id, smallType, madeUp(instanceLimits.givenIds + 1)).size).toBeGreaterThan(0);
    expect(quarantines).toHaveLength(1);
  });

  it('are counted anew after a while', () => {
    const { conduct, world, quarantines } = watched();
    conduct.refusedIds(id, smallType, madeUp(most));
    world.now += instanceLimits.foreignWindowMs + 1;
    conduct.refusedIds(id, smallType, madeUp(most, 1_000));
    expect(quarantines).toEqual([]);
  });
});

describe('strikes', () => {
  const claim = (uuid: string) => ({ instanceId: id, uuid, because: 'it runs on i-2' });

  it('add up to a quarantine, with the last reason', () => {
    const { conduct, quarantines } = watched();
    for (const uuid of madeUp(instanceLimits.strikes - 1)) conduct.claimed(claim(uuid));
    expect(quarantines).toEqual([]);
    conduct.strike({ instanceId: id, kind: 'collect', because: 'no\nresult' });
    expect(quarantines[0]?.because).toBe('10 strikes within 10 minutes; the last: no result');
    expect(conduct.view(id)?.strikes).toEqual({ claim: instanceLimits.strikes - 1, collect: 1 });
  });

  it('are forgotten after a while', () => {
    const { conduct, world, quarantines } = watched();
    for (const uuid of madeUp(30)) {
      conduct.claimed(claim(uuid));
      world.now += instanceLimits.strikeWindowMs / 5;
    }
    expect(quarantines).toEqual([]);
  });

  it('are no claims about a container that the instance had: such a claim is late, not false', () => {
    const { conduct, strikes } = watched();
    conduct.gives(id, madeUp(1)[0]!);
    conduct.claimed(claim(madeUp(1)[0]!));
    expect(strikes).toEqual([]);
  });

  it('begin anew when the quarantine is cleared', () => {
    const { conduct, quarantines } = watched();
    conduct.breach({ instanceId: id, kind: 'rate', because: 'too fast' });
    conduct.breach({ instanceId: id, kind: 'rate', because: 'too fast' });
    expect(quarantines).toHaveLength(1);
    expect([conduct.clear(id), conduct.clear(id)]).toEqual([true, false]);
    expect(conduct.view(id)).toEqual({ strikes: {}, claimsRefused: 0, quarantine: undefined });
    expect(conduct.refusedIds(id, smallType, madeUp(most)).size).toBe(0);
  });
});

describe('what an instance did', () => {
  it('is known to the next daemon, until an operator clears it or the instance is gone', () => {
    const { conduct, recorded } = watched();
    conduct.answered(id);
    conduct.listed(id);
    expect(recorded.size).toBe(0);
    conduct.strike({ instanceId: 'i-2', kind: 'collect', because: 'no result' });
    conduct.breach({ instanceId: id, kind: 'rate', because: 'too fast' });
    const quarantine = { at: 1_000_000, because: 'too fast' };
    const next = watched(new Set(), new Map(recorded));
    expect(next.conduct.view(id)).toEqual({ strikes: { rate: 1 }, claimsRefused: 0, quarantine });
    expect(next.conduct.view('i-2')?.strikes).toEqual({ collect: 1 });
    next.recorded.clear();
    for (const each of [id, 'i-2', 'i-3']) next.conduct.listed(each);
    expect([...next.recorded.keys()]).toEqual([id, 'i-2']);
    next.conduct.clear(id);
    next.conduct.gone('i-2');
    expect(next.recorded.size).toBe(0);
  });

  it('makes it a suspect while it is in quarantine, and for ten minutes after a strike', () => {
    const { conduct, world } = watched();
    expect(conduct.isSuspect(id)).toBe(false);
    conduct.strike({ instanceId: id, kind: 'collect', because: 'no result' });
    expect(conduct.isSuspect(id)).toBe(true);
    world.now += instanceLimits.strikeWindowMs;
    expect(conduct.isSuspect(id)).toBe(false);
    conduct.breach({ instanceId: id, kind: 'rate', because: 'too fast' });
    world.now += 10 * instanceLimits.strikeWindowMs;
    expect(conduct.isSuspect(id)).toBe(true);
  });

  it('does not cost a quarantined instance its own containers before the next daemon read the queue', () => {
    const { conduct, recorded } = watched();
    conduct.breach({ instanceId: id, kind: 'rate', because: 'too fast' });
    const [mine, ...others] = madeUp(most + 1);
    const next = watched(new Set([mine!]), recorded);
    next.world.isRead = false;
    expect(next.conduct.refusedIds(id, smallType, [mine!]).size).toBe(0);
    expect(next.conduct.refusedIds(id, smallType, [mine!, ...others]).size).toBe(most + 1);
    expect(next.conduct.isRefused(id, mine!)).toBe(false);
    next.world.isRead = true;
    expect([next.conduct.isRefused(id, mine!), next.conduct.isRefused(id, others[0]!)]).toEqual([
      false,
      true,
    ]);
  });
});
