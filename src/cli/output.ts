import Table from 'cli-table3';
import ora from 'ora';

/** Where a command prints, and how. */
export interface Output {
  /** Standard output. */
  write(text: string): void;
  error(text: string): void;
  /** A person looks: tables and progress are welcome. */
  isTerminal: boolean;
}

export const processOutput: Output = {
  write: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
  isTerminal: process.stdout.isTTY === true,
};

/** A table for people; tab-separated lines for programs that did not ask for JSON. */
export function printTable(output: Output, head: string[], rows: readonly string[][]): void {
  if (!output.isTerminal) {
    for (const row of [head, ...rows]) output.write(`${row.map(printable).join('\t')}\n`);
    return;
  }
  const table = new Table({ head, style: { head: process.env['NO_COLOR'] ? [] : ['bold'], border: [] } });
  table.push(...rows.map((row) => row.map(printable)));
  output.write(`${table.toString()}\n`);
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
  return code < 32 || (code >= 127 && code < 160);
}
