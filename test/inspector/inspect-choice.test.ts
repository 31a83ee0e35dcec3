import { describe, expect, it } from 'vitest';
import { InspectError, isChosen, parseInspectChoice } from '../../src/inspector/inspect-choice.js';

const types = ['small', 'large'];

describe('the choice of workers for the inspector', () => {
  it('is all of them, one instance, or the instances of a type', () => {
    expect(parseInspectChoice('', types)).toEqual({ kind: 'all' });
    expect(parseInspectChoice('i-0123', types)).toEqual({ kind: 'instance', id: 'i-0123' });
    expect(parseInspectChoice('id=a=b', types)).toEqual({ kind: 'instance', id: 'a=b' });
    expect(parseInspectChoice('type=large', types)).toEqual({ kind: 'type', name: 'large' });
    const chosen = (text: string): boolean[] =>
      ['i-1', 'i-2'].map((id) =>
        isChosen(parseInspectChoice(text, types), id, `${id === 'i-1' ? 'small' : 'large'}`),
      );
    expect(['', 'i-2', 'type=small'].map(chosen)).toEqual([
      [true, true],
      [false, true],
      [true, false],
    ]);
  });

  it.each([
    ['type=lagre', 'there is no instance type "lagre"', 'Configured are: small, large.'],
    ['type=', 'there is no instance type ""', 'Configured are: small, large.'],
    ['id=', '"id=" names no instance', '--inspect=ID for one'],
    ['i-1 i-2', '"i-1 i-2" names no instance', '--inspect=ID for one'],
    ['state=idle', 'instances cannot be chosen by "state"', '--inspect=type=NAME'],
  ])('says what is wrong with "%s" and what can be given', (text, message, remedy) => {
    let error: unknown;
    try {
      parseInspectChoice(text, types);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InspectError);
    expect((error as InspectError).message).toContain(message);
    expect((error as InspectError).remedy).toContain(remedy);
  });
});
