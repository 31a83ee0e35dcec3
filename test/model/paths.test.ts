import { beforeAll, describe, expect, it } from 'vitest';
import { describeDifference } from './exploring/drive.js';
import { examine, type Effort, type Examination } from './exploring/examine.js';
import { randomFrom } from './exploring/walk.js';
import { subjects } from './subjects.js';

/** The worker has so many scenarios that little in each is much; `scripts/explore` goes further. */
const efforts: Readonly<Record<string, Partial<Effort>>> = {
  worker: { statesPerScenario: 1, walksPerScenario: 0 },
  runner: { statesPerScenario: 60 },
  supervisor: { statesPerScenario: 40 },
};
const usual: Omit<Effort, 'random'> = {
  statesPerScenario: 150,
  walksPerScenario: 10,
  walkLength: 60,
  tail: 0,
};

describe.each(subjects.map((subject) => [subject.name, subject] as const))('the %s', (name, subject) => {
  let found: Examination;

  beforeAll(() => {
    const scenarios = subject.scenarios.filter(({ isDeep }) => !isDeep);
    found = examine({ ...subject, scenarios }, { ...usual, ...efforts[name], random: randomFrom(1) });
  }, 120_000);

  it('lets leave it on every path what the specification says, and nothing else', () => {
    expect(found.differences.slice(0, 5).map(describeDifference)).toEqual([]);
    expect(found.tested.length).toBeGreaterThan(10);
  });

  it('is entered in each of its states and takes each of its transitions', () => {
    expect([found.states.missed, found.transitions.missed]).toEqual([[], []]);
  });

  it('decides what to do with each event in each state, or says why nothing', () => {
    const undecided = found.pairs.filter(({ fate }) => fate === 'undecided');
    expect(undecided.map(({ state, event, circumstance }) => [state, event, circumstance])).toEqual([]);
    expect(found.staleRules).toEqual([]);
  });

  it('was sent each event in each state it can come in', () => {
    const unreached = found.unreached.map(({ state, event, circumstance }) => [state, event, circumstance]);
    expect(unreached).toEqual([]);
  });
});
