import Table from 'cli-table3';
import ora from 'ora';
import { visibleText } from '../domain/visible-text.js';
import { fitColumns, type TableColumn } from './fit-columns.js';

/** Destination and format of a command's output. */
export interface Output {
  /** Standard output. */
  write(text: string): void;
  error(text: string): void;
  /** Writes text unchanged, control characters included: text of this program, or `--raw` output. */
  readonly raw?: { write(text: string): void; error(text: string): void };
  /** Output is a terminal: prints tables and progress. */
  isTerminal: boolean;
  /** Standard error is a terminal. */
  isErrorTerminal?: boolean;
  /** Width of the terminal; `undefined`: tables are as wide as their content. */
  readonly columns?: number | undefined;
}

/** Returns the output of a command; on a terminal, control characters of foreign text are escaped. */
export interface SafeOutput extends Output {
  readonly raw: { write(text: string): void; error(text: string): void };
}

/** Makes `write` and `error` escape control characters when the output is a terminal. */
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
    // Some terminals report a width of 0.
    return process.stdout.columns || undefined;
  },
};

/** Width beside each cell of a table: a border and two spaces; one more border ends the row. */
const besideCell = 3;
/** East Asian characters and emoji, which are two columns wide. */
const wideCharacter =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/**
 * Prints a table no wider than the terminal: truncates texts with `…`, leaves out columns of low priority and names them
 * below the table. Prints all columns as tab-separated lines when the output is not a terminal.
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

/** Shows progress on a terminal; prints nothing otherwise. */
export function startProgress(output: Output, text: string): { text: string; stop(): void } {
  // A terminal without a known width cannot redraw a line.
  if (!output.isTerminal || process.stderr.columns === 0) return { text, stop: () => {} };
  // Reading the keyboard would disable Ctrl-C during the progress.
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

/** Replaces control characters by `?`, so that foreign text cannot control the terminal. */
export function printable(text: string): string {
  return Array.from(text, (character) => (isControl(character.codePointAt(0)!) ? '?' : character)).join('');
}

function isControl(code: number): boolean {
  return code < 32 || (code >= 127 && code < 160) || turnsDirection(code);
}

function turnsDirection(code: number): boolean {
  return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}
