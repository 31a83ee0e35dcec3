import { Command, CommanderError, Option } from 'commander';
import { ConfigError } from '../config/config-error.js';
import { Client, ClientError, findDaemon, type ConnectionOptions } from './client.js';
import { addCloudTest, type CloudTestDeps } from './cloudtest-command.js';
import { addConfigCommands } from './config-commands.js';
import { addContainerCommands } from './container-commands.js';
import { delimitCommandWords } from './command-words.js';
import type { CommandContext } from './context.js';
import { addBreakerCommands } from './breaker-commands.js';
import { addHostKeyCommands } from './host-key-commands.js';
import { addInstanceCommands } from './instance-commands.js';
import { safeOutput, type Output } from './output.js';
import { addQuarantineCommands } from './quarantine-commands.js';
import { addReplay, inspectPortOption, type InspectReplay, type ReplayFile } from './replay-command.js';
import { addJournalCommands } from './journal-commands.js';
import { addStatusCommand } from './status-command.js';
import { addSimulate, type ForecastParts } from './simulate-command.js';
import { addStoreCommands, type StoreCommands, type StoreFileCommands } from './store-commands.js';
import { processTerminal, type LocalTerminal } from './local-terminal.js';
import { addSessionCommands } from './session-commands.js';
import { addSshCommand } from './ssh-command.js';
import { addTopCommand } from './top-command.js';
import { addSubmit } from './submit-command.js';
import { addTypes, type OfferedTypes } from './types-command.js';

/** Options of `serve`. */
export interface ServeOptions {
  /** Workers to show in the inspector; `''`: all; `undefined`: none. */
  inspect: string | undefined;
  /** Overrides the configuration. */
  inspectPort: number | undefined;
}

export interface ProgramDeps {
  /** Runs the daemon until it is stopped. Resolves to the exit code. */
  serve(configPath: string, options: ServeOptions): Promise<number>;
  /** Returns the chart of a machine. Throws with the known names when it does not exist. */
  machineChart(name: string, format: 'mermaid' | 'json'): string;
  stores: StoreCommands;
  /** If missing, the commands do not exist. */
  storeFiles?: StoreFileCommands;
  /** If missing, the command does not exist. */
  cloudTest?: CloudTestDeps;
  replayFile: ReplayFile;
  /** If missing, replays cannot be inspected. */
  inspectReplay?: InspectReplay;
  offeredTypes: OfferedTypes;
  forecastParts(): Promise<ForecastParts>;
  version: string;
  output: Output;
  /** Terminal of sessions and live views. Default: that of this process. */
  terminal?: LocalTerminal;
  env: NodeJS.ProcessEnv;
}

const notes = `
The daemon is found by --config FILE (or LONGSHORE_CONFIG), or by --url URL (or LONGSHORE_URL) with LONGSHORE_TOKEN.
Exit codes: 0 success, 1 failure, 2 wrong usage, 3 no daemon answers, 4 the daemon refused the token.`;

/** Runs one command line, without the program name. Resolves to the exit code. */
export async function runProgram(argv: readonly string[], deps: ProgramDeps): Promise<number> {
  const { output, terminal = processTerminal } = deps;
  const safe = safeOutput(output);
  let exitCode = 0;
  const program = new Command('longshore')
    .description('Runs containers on a fleet of cloud instances that it creates and destroys.')
    .version(deps.version)
    .option('-c, --config <file>', 'configuration of the daemon')
    .option('--url <url>', 'address of the daemon’s API')
    .option('--token-file <file>', 'file with the management token')
    .option('--wide', 'print tables at full width')
    .addHelpText('after', notes)
    .exitOverride()
    .configureOutput({ writeOut: safe.write, writeErr: safe.error });
  const context: CommandContext = {
    output: {
      ...safe,
      get columns() {
        return program.opts<{ wide?: true }>().wide ? undefined : output.columns;
      },
    },
    client: (command) => new Client(findDaemon(command.optsWithGlobals<ConnectionOptions>(), deps.env)),
    setExitCode: (code) => (exitCode = code),
  };
  program
    .command('serve')
    .description('run the daemon')
    .option(
      '--inspect [which]',
      'show all instances, those of type=NAME, or the instance ID in the Stately inspector',
    )
    .addOption(inspectPortOption())
    .addHelpText(
      'after',
      '\nExamples:\n  longshore --config longshore.yaml serve\n  longshore --config longshore.yaml serve --inspect=type=small --inspect-port 4711',
    )
    .action(async (options: { inspect?: string | true; inspectPort?: number }, command: Command) => {
      const path = command.optsWithGlobals<ConnectionOptions>().config ?? deps.env['LONGSHORE_CONFIG'];
      if (path === undefined)
        throw new ClientError('no configuration given: longshore --config FILE serve', 2);
      const { inspect, inspectPort } = options;
      exitCode = await deps.serve(path, { inspect: inspect === true ? '' : inspect, inspectPort });
    });
  addSubmit(program, context);
  addContainerCommands(program, context);
  addInstanceCommands(program, context);
  addStatusCommand(program, context);
  addBreakerCommands(program, context);
  addQuarantineCommands(program, context);
  addHostKeyCommands(program, context);
  addSessionCommands(program, context);
  addSshCommand(program, context, terminal);
  addTopCommand(program, context, terminal);
  addConfigCommands(program, context);
  addTypes(program, context, deps);
  addJournalCommands(program, context);
  addReplay(program, context, deps);
  addSimulate(program, context, { load: deps.forecastParts, env: deps.env });
  addStoreCommands(program, context, deps);
  if (deps.cloudTest) addCloudTest(program, context, deps.cloudTest, deps.env);
  program
    .command('machine')
    .description('print a statechart')
    .argument('<name>', 'worker, runner, supervisor, launch, connection, dispatcher or circuit-breaker')
    .addOption(new Option('--format <format>').choices(['mermaid', 'json']).default('mermaid'))
    .action((name: string, options: { format: 'mermaid' | 'json' }) => {
      output.write(`${deps.machineChart(name, options.format)}\n`);
    });
  try {
    await program.parseAsync(delimitCommandWords(program, argv), { from: 'user' });
    return exitCode;
  } catch (error) {
    return exitCodeOf(error, safe);
  }
}

function exitCodeOf(error: unknown, output: Output): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  output.error(`longshore: ${error instanceof Error ? error.message : String(error)}\n`);
  const { remedy } = (error ?? {}) as { remedy?: unknown };
  if (typeof remedy === 'string') output.error(`  ${remedy}\n`);
  if (error instanceof ClientError) return error.exitCode;
  return error instanceof ConfigError ? 2 : 1;
}
