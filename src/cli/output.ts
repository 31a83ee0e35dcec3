import Table from 'cli-table3';
import ora from 'ora';
import { visibleText } from '../domain/visible-text.js';
import { fitColumns, type TableColumn } from './fit-columns.js';

/** Where a command prints, and how. */
export interface Output {
  /** Standard output. */
  write(text: string): void;
  error(text: string): void;
  /** The same, for text that may steer the terminal: this program's own, or what a person asked for as it is. */
  readonly raw?: { write(text: string): void; error(text: string): void };
  /** A person looks: tables and progress are welcome. */
  isTerminal: boolean;
  /** Standard error goes to a terminal, whatever standard output does. */
  isErrorTerminal?: boolean;
  /** Width of the terminal; `undefined`: tables are as wide as what they hold. */
  readonly columns?: number | undefined;
}

/** What a command prints by: on a terminal, foreign text is shown with its control characters written out. */
export interface SafeOutput extends Output {
  readonly raw: { write(text: string): void; error(text: string): void };
}

/** Makes `write` and `error` safe for foreign text when a person looks. */
export function safeOutput(output: Output): SafeOutput {
  const shown = (text: string): string => (output.isTerminal ? visibleText(text) : text);
  return {
    write: (text) => output.write(shown(text)),
    error: (text) => output.error(output.isTerminal || output.isErrorTerminal ? visibleText(text) : text),
    raw: { write: (text) => output.write(text), error: (text) => output.error(text) },
    isTerminal: output.isTerminal,
    get columns() {
      return output.columns;
    },
  };
}

export const processOutput: Output = {
  write: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
  isTerminal: process.stdout.isTTY === true,
  isErrorTerminal: process.stderr.isTTY === true,
  get columns() {
    // A terminal that does not know its width says 0.
    return process.stdout.columns || undefined;
  },
};

/** Beside each cell of a table: a line and two blanks; one more line ends the row. */
const besideCell = 3;
/** Of East Asian scripts, and emoji: they take two places. */
const wideCharacter =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/**
 * A table for people, no wider than the terminal: texts are cut with `…`, and columns of low priority are left out and
 * named below it. Tab-separated lines with everything for programs that did not ask for JSON.
 */
export function printTable(
  output: Output,
  columns: readonly (string | TableColumn)[],
  rows: readonly string[][],
): void {
  const named = columns.map((column) => (typeof column === 'string' ? { head: column } : column));
  const cells = [named.map(({ head }) => head), ...rows].map((row) => row.map(printable));
  if (!output.isTerminal) {
    for (const row of cells) output.write(`${row.join('\t')}\n`);
    return;
  }
  const natural = named.map((_column, index) => widest(cells.map((row) => row[index] ?? '')));
  const widths =
    output.columns === undefined ? natural : fitColumns(named, natural, output.columns - 1, besideCell);
  const shown = [...named.keys()].filter((index) => widths[index] !== undefined);
  const [head = [], ...body] = cells.map((row) => shown.map((index) => row[index] ?? ''));
  const table = new Table({
    head,
    colWidths: shown.map((index) => widths[index]! + besideCell - 1),
    style: { head: process.env['NO_COLOR'] ? [] : ['bold'], border: [] },
  });
  table.push(...body);
  (output.raw ?? output).write(`${table.toString()}\n`);
  const left = named.filter((_column, index) => widths[index] === undefined).map(({ head: name }) => name);
  if (left.length > 0) output.error(`not shown: ${left.join(', ')}; --wide shows every column\n`);
}

function widest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, widthOf(text)), 0);
}

function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += wideCharacter.test(character) ? 2 : 1;
  return width;
}

export function printJson(output: Output, value: unknown): void {
  output.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Progress for a person; nothing for a program. */
export function startProgress(output: Output, text: string): { text: string; stop(): void } {
  // A terminal that does not know its width cannot have a line of it redrawn.
  if (!output.isTerminal || process.stderr.columns === 0) return { text, stop: () => {} };
  // Reading the keyboard meanwhile would take Ctrl-C away from whoever waits for it.
  const spinner = ora({ text, stream: process.stderr, discardStdin: false }).start();
  return {
    get text() {
      return spinner.text;
    },
    set text(now: string) {
      spinner.text = now;
    },
    stop: () => void spinner.stop(),
  };
}

/** What others put into a name or a reason must not steer the terminal: control characters as `?`. */
export function printable(text: string): string {
  return Array.from(text, (character) => (isControl(character.codePointAt(0)!) ? '?' : character)).join('');
}

function isControl(code: number): boolean {
  return code < 32 || (code >= 127 && code < 160) || turnsDirection(code);
}

function turnsDirection(code: number): boolean {
  return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}
