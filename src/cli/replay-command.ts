import { existsSync } from 'node:fs';
import { emitKeypressEvents, type Key } from 'node:readline';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Replay } from '../journal/replay/replay.js';
import { ClientError } from './client.js';
import type { CommandContext } from './context.js';
import { printable, printJson, type Output } from './output.js';
import { overviewLine, paint, plainly, stepLines, verdictOf } from './replay-view.js';

/** Replays the steps of a worker from a journal file. Rejects for an invalid file. */
export type ReplayFile = (path: string, instance: string | undefined) => Promise<Replay>;

/** Shows a replay in the Stately inspector. Rejects when the port is not available; 0: assigned by the system. */
export type InspectReplay = (
  replay: Replay,
  port: number,
  warn: (what: string) => void,
) => Promise<ShownReplay>;

/** A replay with viewers. */
export interface ShownReplay {
  url: string;
  show(index: number): void;
  /** Resolves when the last viewer has disconnected. */
  left: Promise<void>;
  close(): Promise<void>;
}

export interface ReplayDeps {
  replayFile: ReplayFile;
  inspectReplay?: InspectReplay;
}

interface ReplayOptions {
  instance?: string;
  inspect?: true;
  inspectPort: number;
  limit: string;
  all?: true;
  json?: true;
}

const keysHelp = 'space next · b back · d next difference · g first · G last · l list · q quit';

/** Adds `replay`. */
export function addReplay(program: Command, context: CommandContext, deps: ReplayDeps): void {
  const { output } = context;
  program
    .command('replay')
    .description('replay the recorded steps of an instance with this version’s statechart')
    .argument('[journal|instance]', 'a journal as JSON lines, or the id of an instance of the daemon')
    .option('--instance <id>', 'which instance of the journal, or the id of the instance')
    .option('--inspect', 'also show the steps in the Stately inspector')
    .addOption(inspectPortOption().default(0))
    .option('--limit <n>', 'maximum number of steps to fetch, the latest', '5000')
    .option('--all', 'print all steps in full, without the interactive view')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `\nIn a terminal: ${keysHelp}.\nNo action is executed: no command, no provider call.\nExits with 1 when the result of a step differs from the record.\n\nExamples:\n  longshore replay i-0123456789abcdef0\n  longshore replay incident.jsonl --instance i-0123456789abcdef0\n  longshore replay --instance i-0123456789abcdef0 --inspect`,
    )
    .action(async (given: string | undefined, options: ReplayOptions, command: Command) => {
      const subject = given ?? options.instance;
      if (subject === undefined) throw new ClientError('no instance and no journal given', 2);
      const found = existsSync(subject)
        ? await deps.replayFile(subject, options.instance)
        : await context
            .client(command)
            .get<Replay>(
              `/v1/replay/${encodeURIComponent(subject)}?limit=${encodeURIComponent(options.limit)}`,
            );
      // The coloured text below goes to the terminal unchanged.
      const replay = output.isTerminal && !options.json ? printableDeep(found) : found;
      if (replay.steps.length === 0) throw new ClientError(`${replay.instance} has no recorded steps`, 1);
      const inspector = options.inspect
        ? await openInspector(deps, output, replay, options.inspectPort)
        : undefined;
      const isStepping = !options.json && !options.all && output.isTerminal && process.stdin.isTTY;
      if (options.json) printJson(output, replay);
      else if (options.all) printAll(output, replay);
      else if (isStepping) await stepThrough(output, replay, process.stdin, inspector);
      else
        for (const [index, step] of replay.steps.entries())
          output.write(`${overviewLine(step, index + 1)}\n`);
      if (inspector && !isStepping) {
        inspector.show(replay.steps.length - 1);
        await inspector.left;
      }
      if (inspector) await inspector.close();
      output.error(`${verdictOf(replay)}\n`);
      context.setExitCode(replay.steps.every(({ matches }) => matches) ? 0 : 1);
    });
}

/** Removes control characters from every text and field name inside. */
function printableDeep<T>(value: T): T {
  const json = JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'string') return printable(inner);
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).map(([key, each]) => [printable(key), each]));
  });
  return JSON.parse(json) as T;
}

export function inspectPortOption(): Option {
  return new Option(
    '--inspect-port <port>',
    'port of the inspector on loopback; 0: assigned by the system',
  ).argParser((text) => {
    const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
    if (port <= 65_535) return port;
    throw new InvalidArgumentError('use a port from 0 to 65535');
  });
}

async function openInspector(
  { inspectReplay }: ReplayDeps,
  output: Output,
  replay: Replay,
  port: number,
): Promise<ShownReplay> {
  if (!inspectReplay) throw new ClientError('this program cannot inspect a replay', 1);
  const inspector = await inspectReplay(replay, port, (what) => output.error(`${what}\n`));
  output.error(`open ${inspector.url} to inspect the replay\n`);
  return inspector;
}

function printAll(output: Output, replay: Replay): void {
  const color = output.isTerminal ? paint : plainly;
  for (let index = 0; index < replay.steps.length; index++) {
    (output.raw ?? output).write(`${stepLines(replay, index, color).join('\n')}\n\n`);
  }
}

/** The selected step, and the step that a key selects. */
export class StepThrough {
  readonly #replay: Replay;
  index = 0;
  isOver = false;
  isList = false;

  constructor(replay: Replay) {
    this.#replay = replay;
  }

  press({ name, sequence, ctrl }: Key): void {
    const { steps } = this.#replay;
    const last = steps.length - 1;
    this.isList = name === 'l';
    if (name === 'q' || name === 'escape' || (ctrl && (name === 'c' || name === 'd'))) this.isOver = true;
    else if (sequence === 'G' || name === 'end') this.index = last;
    else if (name === 'g' || name === 'home') this.index = 0;
    else if (name === 'd') this.index = this.#nextDifference();
    else if (['b', 'p', 'left', 'up', 'backspace'].includes(name ?? ''))
      this.index = Math.max(0, this.index - 1);
    else if (['space', 'n', 'return', 'right', 'down'].includes(name ?? '')) {
      this.index = Math.min(last, this.index + 1);
    }
  }

  /** Returns the lines of the screen. */
  screen(): string {
    const { steps, instance } = this.#replay;
    const lines = this.isList
      ? steps.map((step, index) => overviewLine(step, index + 1))
      : stepLines(this.#replay, this.index, paint);
    return `${paint('bold', instance)}\n${lines.join('\n')}\n\n${paint('dim', keysHelp)}\n`;
  }

  #nextDifference(): number {
    const next = this.#replay.steps.findIndex(({ matches }, index) => index > this.index && !matches);
    return next === -1 ? this.index : next;
  }
}

/** Resolves when the user quits. */
async function stepThrough(
  output: Output,
  replay: Replay,
  input: NodeJS.ReadStream,
  inspector: ShownReplay | undefined,
): Promise<void> {
  const view = new StepThrough(replay);
  const draw = (): void => {
    const place = inspector ? `${inspector.url}\n` : '';
    (output.raw ?? output).write(`\x1b[2J\x1b[H${view.screen()}${place}`);
    inspector?.show(view.index);
  };
  emitKeypressEvents(input);
  input.setRawMode(true);
  input.resume();
  draw();
  await new Promise<void>((resolve) => {
    const onKey = (_text: string | undefined, key: Key): void => {
      view.press(key);
      if (!view.isOver) return draw();
      input.off('keypress', onKey);
      resolve();
    };
    input.on('keypress', onKey);
  });
  input.setRawMode(false);
  input.pause();
}
