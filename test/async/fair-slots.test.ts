import { describe, expect, it } from 'vitest';
import { HeapClock, settle } from '../../src/simulation/heap-clock.js';
import { FairSlots } from '../../src/async/fair-slots.js';
import type { Turn } from '../../src/async/semaphore.js';

function shared(change: Partial<ConstructorParameters<typeof FairSlots>[0]> = {}) {
  const clock = new HeapClock(1_000_000);
  const slots = new FairSlots({ clock, count: 2, share: 1, patienceMs: 500, mostOverdue: 1, ...change });
  const begun: string[] = [];
  const turns: Turn[] = [];
  const take = (key: string, signal = new AbortController().signal): Promise<void> =>
    slots
      .of(key)
      .take(signal)
      .then((turn) => void (begun.push(key), turns.push(turn)));
  return { clock, slots, begun, turns, take };
}

describe('slots that are shared', () => {
  it('serve sharers in rotation, however many each has waiting', async () => {
    const { begun, turns, take } = shared({ count: 1 });
    for (const key of ['a', 'a', 'a', 'b', 'b', 'c']) void take(key);
    for (let number = 0; number < 6; number++) {
      await settle();
      turns[number]!.release();
    }
    expect(begun).toEqual(['a', 'b', 'c', 'a', 'b', 'a']);
  });

  it('give no sharer more than its share, while others find room', async () => {
    const { begun, turns, take } = shared({ count: 4 });
    for (const key of ['a', 'a', 'a', 'b']) void take(key);
    await settle();
    expect(begun).toEqual(['a', 'b']);
    turns[0]!.release();
    await settle();
    expect(begun).toEqual(['a', 'b', 'a']);
  });

  it('make room beside what takes too long, no more often than is borne, and leave no timer', async () => {
    const { clock, slots, begun, turns, take } = shared();
    for (const key of ['slow', 'slower', 'c', 'd']) void take(key);
    await clock.advance(499);
    expect(begun).toEqual(['slow', 'slower']);
    await clock.advance(1);
    expect(begun).toEqual(['slow', 'slower', 'c']);
    await clock.advance(10_000);
    expect([begun.length, clock.pending]).toEqual([3, 0]);
    turns[0]!.release();
    await settle();
    // The place beside is free again, and the other one has taken too long as well.
    expect(begun).toEqual(['slow', 'slower', 'c', 'd']);
    for (const turn of turns) turn.release();
    expect([slots.underWay, clock.pending]).toEqual([0, 0]);
  });

  it('keep an overdue one in the share of its sharer', async () => {
    const { clock, begun, take } = shared({ count: 1, mostOverdue: 5 });
    for (const key of ['a', 'a', 'b']) void take(key);
    await clock.advance(5_000);
    expect(begun).toEqual(['a', 'b']);
  });

  it('are not given to one that gave up waiting', async () => {
    const { clock, slots, begun, turns, take } = shared({ count: 1 });
    const abort = new AbortController();
    void take('a');
    const leaver = take('b', abort.signal);
    void take('c');
    abort.abort(new Error('enough'));
    await expect(leaver).rejects.toThrow('enough');
    await expect(take('d', abort.signal)).rejects.toThrow('enough');
    turns[0]!.release();
    turns[0]!.release();
    await settle();
    expect([begun, slots.underWay, clock.pending]).toEqual([['a', 'c'], 1, 0]);
  });
});
