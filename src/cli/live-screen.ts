import type { LocalTerminal } from './local-terminal.js';

const enter = '\u001b[?1049h\u001b[?25l';
const leave = '\u001b[?25h\u001b[?1049l';
const home = '\u001b[H';
const clearLine = '\u001b[K';
const clearBelow = '\u001b[J';
/** Minimum time between two redraws. */
const shortestPauseMs = 100;

/** The alternate screen of a terminal; redraws after a change, and periodically because shown ages grow. */
export class LiveScreen {
  readonly #terminal: LocalTerminal;
  readonly #intervalMs: number;
  readonly #draw: (columns: number, rows: number) => string[];
  #undo: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;

  constructor(
    terminal: LocalTerminal,
    intervalMs: number,
    draw: (columns: number, rows: number) => string[],
  ) {
    this.#terminal = terminal;
    this.#intervalMs = intervalMs;
    this.#draw = draw;
  }

  open(): void {
    this.#undo = [this.#terminal.raw(), this.#terminal.onResize(() => this.changed())];
    this.#terminal.stdout.write(enter);
    this.#show();
  }

  /** Schedules a redraw. */
  changed(): void {
    if (this.#timer === undefined || this.#dueAt - Date.now() <= shortestPauseMs) return;
    this.#schedule(shortestPauseMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const undo of this.#undo.splice(0)) undo();
    this.#terminal.stdout.write(leave);
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#dueAt = Date.now() + delayMs;
    this.#timer = setTimeout(() => this.#show(), delayMs);
  }

  #show(): void {
    const { columns, rows } = this.#terminal.size();
    const lines = this.#draw(columns, rows).slice(0, rows);
    this.#terminal.stdout.write(`${home}${lines.map((line) => line + clearLine).join('\r\n')}${clearBelow}`);
    this.#schedule(this.#intervalMs);
  }
}
