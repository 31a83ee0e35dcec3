import { describe, expect, it } from 'vitest';
import { EscapeWatch } from '../../src/cli/escape-watch.js';

const typed = (...parts: string[]) => {
  const watch = new EscapeWatch();
  return parts.map((part) => {
    const { passed, isLeaving } = watch.take(Buffer.from(part));
    return `${Buffer.from(passed).toString()}${isLeaving ? ' LEAVES' : ''}`;
  });
};

describe('the way out of a session', () => {
  it.each([
    [['~.'], [' LEAVES']],
    [
      ['ls\r', '~', '.'],
      ['ls\r', '', ' LEAVES'],
    ],
    [['ls ~.\r'], ['ls ~.\r']],
    [['~~.'], ['~.']],
    [['~x'], ['~x']],
    [['a\n~.rest'], ['a\n LEAVES']],
  ])('takes %j as %j', (parts, expected) => {
    expect(typed(...parts)).toEqual(expected);
  });
});
