import { describe, expect, it } from 'vitest';
import { findWords } from '../scripts/find-words.js';
import { wordRules } from '../scripts/word-rules.js';

const found = (path: string, text: string): string[] =>
  findWords(path, text).map(({ line, found }) => `${line}: ${found}`);

describe('the check of words', () => {
  it('finds an old name as a whole identifier, in any case style, with the line', () => {
    const text = 'const a = 1;\nclass CreateHoldOffs {}\nfunction isMandated() {}\nlet x = this.#holdOff;\n';
    expect(found('src/fleet/a.ts', text)).toEqual(['2: CreateHoldOffs', '4: holdOff']);
  });

  it('finds old words in comments and texts, and not in identifiers', () => {
    const text = '/** Tells what is wanted. */\nconst storyline = `nobody ${storyline} heeds`;\n';
    expect(found('src/fleet/a.ts', text).sort()).toEqual(['1: Tells', '1: wanted', '2: heeds', '2: nobody']);
  });

  it('finds old names quoted in comments and texts', () => {
    expect(
      found('src/fleet/a.ts', "// See {@link WorkerRoster}.\nsend({ type: 'probe.wanted' });\n"),
    ).toEqual(['2: wanted', '2: probe.wanted', '1: WorkerRoster']);
  });

  it('finds old names in the names of files', () => {
    expect(found('src/machines/hold-off.ts', '')).toEqual(['0: hold-off']);
  });

  it('names the replacement of each finding', () => {
    expect(findWords('src/a.ts', 'soleMandate;')).toEqual([
      {
        path: 'src/a.ts',
        line: 1,
        found: 'soleMandate',
        replacement: 'LeaderGuard, NotLeaderError, alwaysLeader',
      },
    ]);
  });

  it('applies a rule of one area only there', () => {
    expect(found('src/leadership/leader-election.ts', 'const beatMs = 1;')).toEqual(['1: beatMs']);
    expect(found('src/runner/a.ts', 'const beatMs = 1;')).toEqual([]);
  });

  it('checks the unreleased part of the changelog, and no release', () => {
    const text = '# Changes\n\n## Unreleased\n\n- A wish.\n\n## 0.1.0\n\n- A story.\n';
    expect(found('CHANGELOG.md', text)).toEqual(['5: wish']);
  });

  it('passes over generated charts and keeps the line numbers after them', () => {
    expect(found('docs/a.md', 'a\n```mermaid\nstate "told"\n```\nNobody.\n')).toEqual(['5: Nobody']);
  });

  it('excuses what has a reasoned exception, and only that part of the line', () => {
    expect(found('docs/a.md', 'a wish for `pool.quotaHoldOff`\n')).toEqual(['1: wish']);
  });

  it('has a replacement in every rule', () => {
    expect(wordRules.filter(({ replacement }) => replacement.trim() === '')).toEqual([]);
  });
});
