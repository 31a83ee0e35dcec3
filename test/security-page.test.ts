import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs/security.md'), 'utf8');
const reference = /\(`(test\/[^`]+\.ts)`: “([^”]+)”\)/g;
const titles =
  /\b(?:it|test)(?:\.\w+(?:<[^(]*>)?(?:\([^;]*?\))?)*\(\s*(?:'((?:[^'\\]|\\.)*)'|`([^`]*)`|"([^"]*)")/gs;

/** Titles of the tests in the file, as they are written there. */
function titlesIn(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  return [...text.matchAll(titles)].map(([, single, template, double]) => single ?? template ?? double ?? '');
}

/** What is wrong with what a page names. */
function faultsOf(text: string): string[] {
  return [...text.matchAll(reference)].flatMap(([, path, title]) => {
    if (!existsSync(join(root, path!))) return [`there is no ${path}`];
    const isThere = titlesIn(path!).some((each) => each.includes(title!));
    return isThere ? [] : [`${path} has no test "${title}"`];
  });
}

/** List items under the headings of that name, each on one line. */
function itemsUnder(heading: string): string[] {
  const sections = page.split(/^#+ /m).filter((section) => section.startsWith(`${heading}\n`));
  return sections.flatMap((section) =>
    section
      .split(/^- /m)
      .slice(1)
      .map((item) => item.replaceAll('\n', ' ')),
  );
}

describe('the page about security', () => {
  it('names only tests that exist', () => {
    expect(faultsOf(page)).toEqual([]);
  });

  it('names a test for each claim that something is held', () => {
    const held = itemsUnder('Held');
    expect(held.length).toBeGreaterThan(20);
    expect(held.filter((item) => item.match(reference) === null)).toEqual([]);
  });

  it('says of each actor what is not held', () => {
    const sections = page.split(/^## /m).filter((section) => section.includes('### Held'));
    expect(sections.filter((section) => !section.includes('### Not held'))).toEqual([]);
  });

  it('is found wanting when it names a test or a file that there is not', () => {
    expect(faultsOf('(`test/nowhere.test.ts`: “a”)')).toEqual(['there is no test/nowhere.test.ts']);
    expect(faultsOf('(`test/security-page.test.ts`: “nothing of the kind”)')).toEqual([
      'test/security-page.test.ts has no test "nothing of the kind"',
    ]);
  });
});
