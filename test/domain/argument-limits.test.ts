import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { containerRequestSchema } from '../../src/api/container-request.js';
import { argumentFault } from '../../src/domain/argument-limits.js';
import { buildStartDocument, StartDocumentError } from '../../src/runner/start-document.js';

const most = 131_071;
const work = { command: ['true'], env: {}, image: '', cwd: '', vcpus: 1, ramBytes: 0, maxRunTimeMs: 0 };

function documentOf(change: Partial<typeof work>): string {
  const document = { env: {}, keepBuffers: 0, cluster: null, spotNotices: undefined, logLimitBytes: 1_000 };
  return buildStartDocument({ ...document, work: { ...work, ...change } });
}

describe('arguments and variables of a container', () => {
  it('are accepted up to what this system starts a program with, and refused beyond it', () => {
    const runs = (env: Record<string, string>, ...words: string[]): boolean =>
      spawnSync('true', words, { env }).error === undefined;
    const word = 'x'.repeat(most);
    const value = 'x'.repeat(most - 2);
    expect([runs({}, word), argumentFault(['true', word], {})]).toEqual([true, undefined]);
    expect([runs({ A: value }), argumentFault(['true'], { A: value })]).toEqual([true, undefined]);
    expect([runs({}, `${word}x`), runs({ A: `${value}x` })]).toEqual([false, false]);
    expect(argumentFault(['true', `${word}x`], {})?.path).toEqual(['command', 1]);
    expect(argumentFault(['true'], { A: `${value}x` })?.path).toEqual(['env', 'A']);
  });

  it('count in bytes', () => {
    expect(argumentFault(['true', 'é'.repeat(65_536)], {})).toMatchObject({ path: ['command', 1] });
  });

  it('are refused when they are too much together', () => {
    const words = Array.from({ length: 16 }, () => 'x'.repeat(100_000));
    expect(argumentFault(words, {})?.message).toContain('1572864 is the limit');
    expect(argumentFault(words.slice(0, 15), {})).toBeUndefined();
  });

  it('are refused at submit with the field and the limit', () => {
    const parsed = containerRequestSchema.safeParse({ command: ['true'], env: { BIG: 'x'.repeat(200_000) } });
    const [issue] = parsed.error!.issues;
    expect(issue!.path).toEqual(['env', 'BIG']);
    expect(issue!.message).toBe(
      'the variable, with its name, is 200004 bytes; 131071 is the limit for one that a program can be started with: put the data into a file',
    );
  });

  it.each(['PATH', 'HTTP_PROXY', 'CONTAINER_KEY'])(
    'are refused at submit with a line break in %s where an engine takes lines only',
    (name) => {
      const parse = (body: object) => containerRequestSchema.safeParse({ command: ['true'], ...body });
      const env = { A: 'one\ntwo', [name]: 'one\ntwo' };
      const [issue] = parse({ image: 'x', env }).error!.issues;
      expect([issue!.path, issue!.message]).toEqual([
        ['env', name],
        expect.stringContaining('a line break, which a container engine does not take'),
      ]);
      expect(parse({ env }).error).toBeUndefined();
      expect(parse({ image: 'x', env: { A: 'one\ntwo' } }).error).toBeUndefined();
    },
  );

  it('are refused at submit with a line break in a name', () => {
    const parsed = containerRequestSchema.safeParse({ command: ['true'], env: { 'A\nB': '' } });
    expect(parsed.error!.issues[0]).toMatchObject({ path: ['env', 'A\nB'] });
  });

  it('are refused by the start document, which no shell could pass on', () => {
    expect(() => documentOf({ command: ['echo', 'x'.repeat(200_000)] })).toThrow(StartDocumentError);
    expect(() => documentOf({ command: ['echo', 'x'.repeat(200_000)] })).toThrow('command.1: the word is');
    expect(() => documentOf({ image: 'x', env: { CONTAINER_KEY: 'a\nb' } })).toThrow('env.CONTAINER_KEY');
  });
});
