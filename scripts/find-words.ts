import ts from 'typescript';
import { wordExceptions, wordRules, type WordException, type WordRule } from './word-rules.js';

export interface Finding {
  path: string;
  /** From 1; 0: the name of the file itself. */
  line: number;
  found: string;
  replacement: string;
}

/** A part of a file in which words are looked up; `offset` is its place in the file. */
interface Piece {
  text: string;
  offset: number;
  isIdentifier: boolean;
}

const code = /\.(?:ts|mts|mjs|js)$/;
/** Names quoted in texts: those that no sentence has, as they have a hump, a dot or a dash inside. */
const quotedName = /[A-Za-z_$][\w$]*(?:[.-][A-Za-z_$][\w$]*)*/g;

/** Finds old words and names in one file; the exceptions used are added to `used`. */
export function findWords(path: string, text: string, used: Set<WordException> = new Set()): Finding[] {
  const lineStarts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)];
  const checked = path.endsWith('CHANGELOG.md') ? unreleased(text) : text;
  const pieces = code.test(path) ? piecesOfCode(path, checked) : piecesOfText(path, checked);
  const findings = nameFindings(path);
  for (const piece of pieces) {
    for (const { rule, found, index } of matchesIn(piece, path)) {
      const at = piece.offset + index;
      const line = lineOf(lineStarts, at);
      const start = lineStarts[line - 1]!;
      const lineText = text.slice(start, lineStarts[line] ?? text.length);
      const place = { path, lineText, from: at - start, to: at - start + found.length };
      const exception = wordExceptions.find((each) => excuses(each, place));
      if (exception) used.add(exception);
      else findings.push({ path, line, found, replacement: rule.replacement });
    }
  }
  return findings;
}

function nameFindings(path: string): Finding[] {
  const parts = path.replace(/\.\w+$/, '').split('/');
  return wordRules
    .filter(({ kind, within }) => kind === 'name' && (within?.test(path) ?? true))
    .flatMap(({ pattern, replacement }) =>
      parts.filter((part) => pattern.test(part)).map((found) => ({ path, line: 0, found, replacement })),
    );
}

function excuses(
  { path, text }: WordException,
  place: { path: string; lineText: string; from: number; to: number },
): boolean {
  if (path && !path.test(place.path)) return false;
  return [...place.lineText.matchAll(new RegExp(text.source, `${text.flags.replace('g', '')}g`))].some(
    (match) => match.index <= place.from && match.index + match[0].length >= place.to,
  );
}

function* matchesIn(
  { text, isIdentifier }: Piece,
  path: string,
): Generator<{ rule: WordRule; found: string; index: number }> {
  const rules = wordRules.filter(({ within }) => within?.test(path) ?? true);
  if (!isIdentifier) {
    for (const rule of rules.filter(({ kind }) => kind === 'prose')) {
      for (const match of text.matchAll(rule.pattern)) yield { rule, found: match[0], index: match.index };
    }
  }
  const names = isIdentifier ? [{ 0: text, index: 0 }] : text.matchAll(quotedName);
  for (const { 0: found, index } of names) {
    if (!isIdentifier && !/[a-z0-9][A-Z]|[.]/.test(found)) continue;
    const rule = rules.find(({ kind, pattern }) => kind === 'name' && pattern.test(found));
    if (rule) yield { rule, found, index };
  }
}

/** Identifiers, comments and texts of a program. */
function piecesOfCode(path: string, text: string): Piece[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, false);
  const pieces: Piece[] = [];
  const comments = new Map<number, ts.CommentRange>();
  const addComments = (ranges: ts.CommentRange[] | undefined): void => {
    for (const range of ranges ?? []) comments.set(range.pos, range);
  };
  const walk = (node: ts.Node): void => {
    addComments(ts.getLeadingCommentRanges(text, node.pos));
    addComments(ts.getTrailingCommentRanges(text, node.end));
    const start = node.getStart(source, false);
    if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) {
      pieces.push({ text: node.text.replace(/^#/, ''), offset: start, isIdentifier: true });
    } else if (ts.isStringLiteralLike(node) || isTemplatePart(node)) {
      pieces.push({ text: text.slice(start, node.end), offset: start, isIdentifier: false });
    }
    ts.forEachChild(node, walk);
  };
  walk(source);
  addComments(ts.getLeadingCommentRanges(text, source.endOfFileToken.pos));
  for (const { pos, end } of comments.values()) {
    pieces.push({ text: text.slice(pos, end), offset: pos, isIdentifier: false });
  }
  return pieces;
}

function isTemplatePart(node: ts.Node): boolean {
  return ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
}

/** All of a text but the charts, which are made from the machines. */
function piecesOfText(path: string, text: string): Piece[] {
  const checked = path.endsWith('.md')
    ? text.replaceAll(/^```mermaid$[^]*?^```$/gm, (chart) => chart.replaceAll(/[^\n]/g, ' '))
    : text;
  return [{ text: checked, offset: 0, isIdentifier: false }];
}

/** Releases that are out keep their words. */
function unreleased(text: string): string {
  const start = text.indexOf('## Unreleased');
  const end = text.indexOf('\n## ', start + 1);
  return text.slice(0, end < 0 ? text.length : end);
}

function lineOf(lineStarts: readonly number[], at: number): number {
  let [low, high] = [0, lineStarts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (lineStarts[middle]! <= at) low = middle;
    else high = middle;
  }
  return low + 1;
}
