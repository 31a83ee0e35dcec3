import { describe, expect, it } from 'vitest';
import { bounds, partsOf, verdictOf, type LiarFigures, type SeedFigures } from './judge.js';

const liar: LiarFigures = {
  id: 'inst3',
  lie: '10,000 made-up ids',
  quarantinedAfterMs: 2_000,
  because: 'it listed 10,000 containers',
};
const good: SeedFigures = {
  seed: 1,
  plan: '10,000 made-up ids',
  memoryMiB: 3,
  turnMs: 20,
  turnOnTheWallMs: 400,
  lateMs: 300,
  journalMiB: 0.2,
  liars: [liar],
  drained: [],
  forged: [],
  honestResults: 40,
  attacks: 12,
  faults: [],
};
const badPartsOf = (change: Partial<SeedFigures>): string[] =>
  partsOf({ ...good, ...change }).flatMap(({ name, isWell }) => (isWell ? [] : [name]));

describe('the judge of liars', () => {
  it('is content with a daemon that held', () => {
    expect(badPartsOf({})).toEqual([]);
    const { isWell, text } = verdictOf([good], 1);
    expect(isWell).toBe(true);
    expect(text).toContain('passed: 1 of 1 seeds held; memory +3.0 MiB of 64; turn 20 ms of 100');
  });

  it.each<[string, Partial<SeedFigures>]>([
    ['memory', { memoryMiB: bounds.memoryMiB + 0.1 }],
    ['turn', { turnMs: bounds.turnMs + 1 }],
    ['late', { lateMs: bounds.lateMs + 1 }],
    ['journal', { journalMiB: bounds.journalMiB + 0.01 }],
    ['quarantine', { liars: [liar, { ...liar, quarantinedAfterMs: undefined }] }],
    ['quarantine', { liars: [{ ...liar, quarantinedAfterMs: bounds.quarantineMs + 1 }] }],
    ['quarantine', { liars: [{ ...liar, because: '' }] }],
    ['drained', { drained: ['inst1: drain'] }],
    ['forged', { forged: ['liars-dz642-0 on inst1'] }],
    ['work', { honestResults: 0 }],
    ['api', { faults: ['a: 500'] }],
    ['run', { failure: 'the daemon ended' }],
  ])('fails by %s alone', (name, change) => {
    expect(badPartsOf(change)).toEqual([name]);
    expect(verdictOf([good, { ...good, ...change, seed: 2 }], 2)).toMatchObject({ isWell: false });
  });

  it('does not ask for the quarantine of one that had no occasion to lie', () => {
    const silent = { ...liar, lie: undefined, quarantinedAfterMs: undefined, because: '' };
    expect(badPartsOf({ liars: [liar, silent] })).toEqual([]);
  });

  it('names the seeds that failed, and the worst figures of those that ran', () => {
    const bad = { ...good, seed: 7, turnMs: 180, forged: ['a'] };
    const { text } = verdictOf([good, bad, { ...good, seed: 9, failure: 'the daemon ended' }], 3);
    expect(text).toContain('failed: 1 of 3 seeds held');
    expect(text).toContain('turn 180 ms of 100');
    expect(text).toContain('1 forged');
    expect(text).toContain('failed: 7, 9');
  });

  it('fails when not all seeds were played, and when no liar lied', () => {
    expect(verdictOf([good], 2).isWell).toBe(false);
    expect(verdictOf([{ ...good, liars: [] }], 1).isWell).toBe(false);
  });
});
