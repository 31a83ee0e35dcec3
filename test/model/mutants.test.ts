import { describe, expect, it } from 'vitest';
import { examine, testMutants } from './exploring/examine.js';
import { randomFrom } from './exploring/walk.js';
import { subjects } from './subjects.js';

/** The large machines take minutes: `scripts/explore` does them. */
const quick = ['launch', 'connection', 'dispatcher', 'circuit-breaker'];
const effort = { statesPerScenario: 150, walksPerScenario: 5, walkLength: 60, tail: 4 };

describe.each(subjects.filter(({ name }) => quick.includes(name)).map((each) => [each.name, each] as const))(
  'the exploration of the %s',
  (_, subject) => {
    it('notices each transition that is missing and each guard that is turned round', () => {
      const score = testMutants(examine(subject, { ...effort, random: randomFrom(1) }));
      expect(score.survivors).toEqual([]);
      expect(score.mutants).toBeGreaterThan(5);
    });
  },
);
