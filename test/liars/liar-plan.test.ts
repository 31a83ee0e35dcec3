import { describe, expect, it } from 'vitest';
import { describePlan, planOf } from './liar-plan.js';
import { allLies, whileConnected } from './lies.js';

const seeds = Array.from({ length: 50 }, (_, index) => index + 1);

describe('what liars are to do with a seed', () => {
  it('is the same each time, and differs from seed to seed', () => {
    const plans = seeds.map((seed) => describePlan(planOf(seed)));
    expect(plans).toEqual(seeds.map((seed) => describePlan(planOf(seed))));
    expect(new Set(plans).size).toBeGreaterThan(45);
  });

  it('is for each liar something that no honest instance does', () => {
    for (const { lies, changesHostKey } of seeds.flatMap((seed) => planOf(seed).liars))
      expect(changesHostKey || lies.some(({ lie }) => lie.isBreach)).toBe(true);
  });

  it('comes to every lie within 50 seeds', () => {
    const all = seeds.map((seed) => describePlan(planOf(seed))).join(' + ');
    const drawn = new Set(all.split(/ \+ | \| /));
    const names = [...allLies.map(({ name }) => name), ...Object.values(whileConnected)];
    expect(names.filter((name) => !drawn.has(name))).toEqual([]);
  });
});
