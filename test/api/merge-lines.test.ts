import { describe, expect, it } from 'vitest';
import { mixedByLine } from '../../src/api/merge-lines.js';
import { deferred } from '../support/worker-world.js';

async function* pieces(...each: (string | Promise<string>)[]): AsyncGenerator<string> {
  for (const piece of each) yield await piece;
}

async function all(texts: AsyncGenerator<string>[]): Promise<string> {
  let whole = '';
  for await (const text of mixedByLine(texts)) whole += text;
  return whole;
}

describe('texts that are mixed by line', () => {
  it('come as they arrive, none within a line of another', async () => {
    const [late, last] = [deferred<string>(), deferred<string>()];
    const mixed = mixedByLine([pieces('one\ntw', late.promise), pieces('a\n', last.promise)]);
    const next = async (): Promise<string> => String((await mixed.next()).value);
    expect(new Set([await next(), await next()])).toEqual(new Set(['one\n', 'a\n']));
    last.resolve('b');
    late.resolve('o\nthree');
    let rest = '';
    for await (const text of mixed) rest += text;
    expect(rest.trimEnd().split('\n').sort()).toEqual(['b', 'three', 'two']);
  });

  it('keep every byte of one text alone, also a long line without an end', async () => {
    const long = 'x'.repeat(70_000);
    expect(await all([pieces('a\n', 'b', 'c\n\n', long, 'd')])).toBe(`a\nbc\n\n${long}d`);
    expect(await all([pieces(), pieces()])).toBe('');
  });

  it('are read on only as their pieces are taken', async () => {
    let made = 0;
    async function* endless(): AsyncGenerator<string> {
      for (;;) yield `${++made}\n`;
    }
    const mixed = mixedByLine([endless(), pieces(new Promise(() => {}))]);
    for (let taken = 1; taken <= 50; taken++) {
      await mixed.next();
      await new Promise((resolve) => setImmediate(resolve));
      expect(made).toBeLessThanOrEqual(taken + 1);
    }
  });

  it('end with the first that fails', async () => {
    async function* failing(): AsyncGenerator<string> {
      yield 'a\n';
      throw new Error('it broke');
    }
    await expect(all([failing(), pieces(new Promise(() => {}))])).rejects.toThrow('it broke');
  });
});
