import { describe, expect, it } from 'vitest';
import { applyListing, type RunnerRecord } from '../../src/policy/apply-listing.js';
import { emptyListing, uuid1 } from '../support/worker-world.js';

const record = (phase: RunnerRecord['phase'], attempt?: number): RunnerRecord => ({
  phase,
  gaveUp: false,
  queuedAt: undefined,
  ...(attempt === undefined ? {} : { attempt }),
});
const attempts = (attempt: number) => ({ attempts: { [uuid1]: attempt } });

describe('a listing that names attempts', () => {
  it('does not take what an earlier attempt left for the one that starts', () => {
    for (const left of [{ ended: [uuid1] }, { live: [uuid1] }]) {
      const records = { [uuid1]: record('starting', 2) };
      const applied = applyListing(records, { ...emptyListing, ...left, ...attempts(1) }, true);
      expect(applied).toEqual({ records, changes: [] });
    }
  });

  it.each([
    ['live', 'listed', 'running'],
    ['ended', 'ended', 'collecting'],
  ] as const)('takes the same attempt, and one without a number, that is %s', (word, kind, phase) => {
    for (const named of [attempts(2), {}]) {
      const records = { [uuid1]: record('starting', 2) };
      const applied = applyListing(records, { ...emptyListing, [word]: [uuid1], ...named }, true);
      expect(applied.changes).toEqual([{ uuid: uuid1, kind }]);
      expect(applied.records[uuid1]).toEqual(record(phase, 2));
    }
  });

  it('holds an attempt for gone when only another one is there, which is taken up by the next listing', () => {
    const listing = { ...emptyListing, ended: [uuid1], ...attempts(1) };
    const first = applyListing({ [uuid1]: record('running', 2) }, listing, true);
    expect(first).toEqual({ records: {}, changes: [{ uuid: uuid1, kind: 'missing' }] });
    const second = applyListing(first.records, listing, true);
    expect(second.changes).toEqual([{ uuid: uuid1, kind: 'adoptEnded' }]);
    expect(second.records).toEqual({ [uuid1]: record('collecting', 1) });
  });

  it('leaves a result alone that is being collected, whatever else is there', () => {
    const records = { [uuid1]: record('collecting', 2) };
    const applied = applyListing(records, { ...emptyListing, ended: [uuid1], ...attempts(1) }, true);
    expect(applied).toEqual({ records, changes: [] });
  });
});
