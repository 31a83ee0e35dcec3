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

  it('serve suspects after the others, and give them half of the slots together at most', async () => {
    const isSuspect = (key: unknown): boolean => String(key).startsWith('liar');
    const { begun, turns, take } = shared({ count: 4, share: 2, isSuspect });
    for (const key of ['liar 1', 'liar 1', 'liar 2', 'a']) void take(key);
    await settle();
    expect(begun).toEqual(['liar 1', 'liar 1', 'a']);
    for (const key of ['b', 'c']) void take(key);
    await settle();
    expect(begun.slice(3)).toEqual(['b']);
    turns[0]!.release();
    await settle();
    expect(begun.slice(4)).toEqual(['c']);
    turns[2]!.release();
    await settle();
    expect(begun.slice(5)).toEqual(['liar 2']);
  });

  it('leave room beside sharers whose turns hang, each of which gets one turn there at most', async () => {
    const { clock, slots, begun, turns, take } = shared({
      count: 4,
      share: 2,
      mostOverdue: 4,
      isSuspect: () => false,
    });
    for (let each = 1; each <= 4; each++) for (let n = 0; n < 2; n++) void take(`hangs ${each}`);
    await clock.advance(10_000);
    const hanging = ['hangs 1', 'hangs 1', 'hangs 2', 'hangs 2', 'hangs 3', 'hangs 4'];
    expect(begun).toEqual(hanging);
    for (const key of ['a', 'b', 'c', 'd']) void take(key);
    await settle();
    expect(begun.slice(6)).toEqual(['a', 'b']);
    turns[6]!.release();
    turns[7]!.release();
    await settle();
    expect(begun.slice(8)).toEqual(['c', 'd']);
    for (let number = 0; number < 10; number++) {
      turns[number]!.release();
      await settle();
    }
    expect(begun.slice(10)).toEqual(['hangs 3', 'hangs 4']);
    for (const turn of turns) turn.release();
    expect([slots.underWay, clock.pending]).toEqual([0, 0]);
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
