import { runProgram, type ProgramDeps } from '../../src/cli/program.js';
import { FakeTerminal } from './fake-terminal.js';
import { managementToken, type InProcess } from './in-process.js';

export interface CommandRun {
  terminal: FakeTerminal;
  /** What was printed as a result. */
  output: { out: string; err: string };
  exitCode: Promise<number>;
}

/** Runs a command of the program in this process against a daemon. */
export function runCommand(
  { daemon }: { daemon: Pick<InProcess['daemon'], 'url'> },
  argv: readonly string[],
  {
    terminal = new FakeTerminal(),
    token = managementToken,
    ...deps
  }: { terminal?: FakeTerminal; token?: string } & Partial<ProgramDeps> = {},
): CommandRun {
  const output = { out: '', err: '' };
  const exitCode = runProgram(argv, {
    serve: () => Promise.resolve(1),
    machineChart: () => '',
    forecastParts: () => Promise.reject(new Error('not asked for here')),
    replayFile: () => Promise.reject(new Error('none')),
    stores: {
      migrate: () => Promise.reject(new Error('none')),
      copy: () => Promise.reject(new Error('none')),
    },
    offeredTypes: () => Promise.reject(new Error('none')),
    version: 'test',
    output: {
      write: (text) => void (output.out += text),
      error: (text) => void (output.err += text),
      isTerminal: terminal.isInteractive,
      columns: terminal.isInteractive ? terminal.size().columns : undefined,
    },
    terminal,
    env: { LONGSHORE_URL: daemon.url, LONGSHORE_TOKEN: token },
    ...deps,
  });
  return { terminal, output, exitCode };
}
