import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { singleQuote } from '../../src/domain/shell-quote.js';

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface CommandProcess {
  readonly out: string;
  readonly err: string;
  /** Both as they came; on a terminal that is all there is. */
  readonly shown: string;
  readonly exitCode: Promise<number>;
  type(text: string): void;
  /** As an operator's `kill` does. */
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal as soon as the text is in the output, before this process polls for it. */
  signalOn(text: string, signal: NodeJS.Signals): void;
  /** Ends it at once, if it still runs. */
  end(): Promise<void>;
}

export interface Terminal {
  /** The program of that name, which makes the terminal. */
  script: string;
  /** 0: it does not know. */
  columns?: number;
}

/** One command of the program in a process of its own, on pipes or on a terminal. */
export function startCommand(argv: readonly string[], terminal?: Terminal): CommandProcess {
  const words = [process.execPath, '--import', 'tsx', program, ...argv];
  const [file, ...args] =
    terminal === undefined
      ? words
      : [
          terminal.script,
          '-qefc',
          `stty cols ${terminal.columns ?? 250}; exec ${words.map(singleQuote).join(' ')}`,
          '/dev/null',
        ];
  const child: ChildProcess = spawn(file!, args, { stdio: 'pipe', env: { ...process.env, NO_COLOR: '1' } });
  const said = { out: '', err: '', shown: '' };
  const hear = (name: 'out' | 'err') => (chunk: Buffer) => {
    said[name] += chunk.toString();
    said.shown += chunk.toString();
  };
  child.stdout!.on('data', hear('out'));
  child.stderr!.on('data', hear('err'));
  const signalOn = (text: string, signal: NodeJS.Signals): void => {
    const look = (): void => {
      if (!said.shown.includes(text)) return;
      for (const stream of [child.stdout!, child.stderr!]) stream.off('data', look);
      child.kill(signal);
    };
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', look);
    look();
  };
  const exitCode = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  return {
    get out() {
      return said.out;
    },
    get err() {
      return said.err;
    },
    get shown() {
      return said.shown;
    },
    exitCode,
    type: (text) => void child.stdin!.write(text),
    signal: (signal) => void child.kill(signal),
    signalOn,
    end: async () => {
      child.kill('SIGKILL');
      await exitCode;
    },
  };
}
