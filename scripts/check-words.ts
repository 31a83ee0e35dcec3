// Fails on words and names that docs/glossary.md replaces. Arguments: files or folders; --clean: the paths that have none
// any more; nothing: the whole tree.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findWords } from './find-words.js';
import { cleanPaths, wordExceptions, type WordException } from './word-rules.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const everything = ['src', 'test', 'scripts', 'docs', 'deploy', 'examples', '*.md'];
const isText = /(?:\.(?:ts|mts|mjs|js|sh|md|css|html|yaml|service)|\/[^/.]+)$|^[^/]+\.md$/;
const isVendored = /\/vendor\//;

const paths = process.argv.slice(2).flatMap((path) => (path === '--clean' ? cleanPaths : path));
const asked = ['ls-files', '-z', '--', ...(paths.length > 0 ? paths : everything)];
const files = execFileSync('git', asked, { cwd: root, encoding: 'utf8' })
  .split('\0')
  .filter((path) => isText.test(path) && !isVendored.test(path));

const used = new Set<WordException>();
const findings = files.flatMap((path) => findWords(path, readFileSync(`${root}/${path}`, 'utf8'), used));
for (const { path, line, found, replacement } of findings) {
  console.log(`${path}:${line}: "${found}" -> ${replacement}`);
}
const unused = paths.length > 0 ? [] : wordExceptions.filter((exception) => !used.has(exception));
for (const { text } of unused)
  console.log(`scripts/word-rules.ts: the exception ${String(text)} excuses nothing`);
console.log(`${files.length} files, ${findings.length} old words`);
process.exitCode = findings.length + unused.length === 0 ? 0 : 1;
