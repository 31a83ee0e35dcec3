import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');
/** A file or folder of the project, quoted as code: `src/policy/plan.ts`. */
const quotedPath = /`((?:src|test|scripts|docs|deploy|examples|bin)\/[\w./-]*)`/g;
const link = /\]\(([^)#\s]*)(?:#([^)\s]*))?\)/g;

/** Paths that the text quotes and that do not exist; the released part of CHANGELOG.md is history. */
function missingPaths(text: string): string[] {
  const [current = ''] = text.split(/^## \d/m);
  return [...current.matchAll(quotedPath)].flatMap(([, path]) =>
    existsSync(join(root, path!)) ? [] : [path!],
  );
}

/** The names under which headings of the text are linked, as GitHub makes them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Links of the page to files or headings that do not exist. */
function brokenLinks(page: string, text: string): string[] {
  return [...text.matchAll(link)].flatMap(([, target = '', anchor]) => {
    if (/^\w+:/.test(target)) return [];
    const path = target === '' ? page : join(dirname(page), target);
    if (!existsSync(join(root, path))) return [target];
    if (anchor === undefined || !path.endsWith('.md')) return [];
    return anchorsOf(textOf(path)).includes(anchor) ? [] : [`${target}#${anchor}`];
  });
}

describe('the documentation', () => {
  it.each(pages)('quotes only paths that exist: %s', (page) => {
    expect(missingPaths(textOf(page))).toEqual([]);
  });

  it.each(pages)('links only to files and headings that exist: %s', (page) => {
    expect(brokenLinks(page, textOf(page))).toEqual([]);
  });

  it.each(pages.filter((page) => page.startsWith('docs/')))(
    'begins with what the reader can do after reading: %s',
    (page) => {
      expect(textOf(page)).toMatch(/^# .*\n\nAfter reading th(?:is|ese) \w+ you /);
    },
  );

  it('fails for a path, a file and a heading that do not exist', () => {
    expect(missingPaths('see `src/nowhere.ts` and `src/domain`')).toEqual(['src/nowhere.ts']);
    expect(
      brokenLinks('docs/store.md', '[a](nowhere.md) [b](store.md#nowhere) [c](store.md#stores)'),
    ).toEqual(['nowhere.md', 'store.md#nowhere']);
  });
});
