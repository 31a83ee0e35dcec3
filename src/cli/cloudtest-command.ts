import type { Command } from 'commander';
import { createInterface } from 'node:readline/promises';
import type { CloudTestReport, LoginHint, StepReport, CloudTestCommand } from '../cloudtest/report.js';
import { ClientError, type ConnectionOptions } from './client.js';
import type { CommandContext } from './context.js';
import { printJson, printTable, startProgress, type Output } from './output.js';

export interface CloudTestDeps {
  /** Runs the test. Rejects when it cannot begin. */
  run(configPath: string, request: CloudTestCommand, signal: AbortSignal): Promise<CloudTestReport>;
  /** Aborts on Ctrl-C; a second Ctrl-C ends the process. */
  interrupted(): AbortSignal;
}

interface Options {
  type?: string;
  image?: string;
  setId: string;
  destroyExisting?: true;
  run?: string;
  pause?: true;
  shell?: true;
  json?: true;
}

const help = `
Creates one instance of the cheapest type, checks address, tags, login, identity and boot, and destroys it. Ctrl-C ends
the test and destroys the instance. After a crash, run the next test with --destroy-existing.
Exit codes: 0 every step succeeded, 1 a step failed.

Example:
  longshore --config longshore.yaml cloudtest --type small --run 'nproc'`;

/** Adds `cloudtest` (CT-1, CT-2). */
export function addCloudTest(
  program: Command,
  { output, setExitCode }: CommandContext,
  { run, interrupted }: CloudTestDeps,
  env: NodeJS.ProcessEnv,
): void {
  program
    .command('cloudtest')
    .description('test the configured cloud with one instance, from creation to destruction')
    .option('--type <name>', 'instance type; default: the cheapest')
    .option('--image <id>', 'image id; default: the configured one')
    .option('--set-id <id>', 'instance set of the test', 'zzzzz-zzzzz-zzzzzzcloudtest')
    .option('--destroy-existing', 'destroy the instances of an earlier test')
    .option('--run <command>', 'command to run on the instance after it booted')
    .option('--pause', 'wait for Enter before the instance is destroyed')
    .option('--shell', 'open a shell on the instance before it is destroyed')
    .option('--json', 'print a JSON report')
    .addHelpText('after', help)
    .action(async (options: Options, command: Command) => {
      const path = command.optsWithGlobals<ConnectionOptions>().config ?? env['LONGSHORE_CONFIG'];
      if (path === undefined)
        throw new ClientError('no configuration given: longshore --config FILE cloudtest', 2);
      if ((options.pause ?? options.shell) && !output.isTerminal) {
        throw new ClientError('--pause and --shell need a terminal', 2);
      }
      const report = await run(path, commandOf(options, output), interrupted());
      if (options.json) printJson(output, report);
      else printReport(output, report);
      setExitCode(report.ok ? 0 : 1);
    });
}

function commandOf(options: Options, output: Output): CloudTestCommand {
  let progress: { stop(): void } | undefined;
  const print = (text: string): void => {
    progress?.stop();
    progress = undefined;
    output.error(text);
  };
  return {
    type: options.type ?? '',
    image: options.image ?? '',
    setId: options.setId,
    destroyExisting: options.destroyExisting ?? false,
    command: options.run ?? '',
    pause: options.pause || options.shell ? pauseWith(() => progress?.stop(), output) : undefined,
    shell: options.shell ?? false,
    begun: (text) => (progress = startProgress(output, `${text} …`)),
    done: (report) => print(`${lineOf(report)}\n`),
    said: (line) => print(`  ${line}\n`),
  };
}

function pauseWith(quiet: () => void, output: Output) {
  return async ({ host, port, user }: LoginHint, signal: AbortSignal): Promise<void> => {
    quiet();
    output.error(`Log in with: ssh -p${port} ${user}@${host}\nPress Enter to destroy the instance. `);
    const lines = createInterface({ input: process.stdin });
    await lines.question('', { signal }).finally(() => lines.close());
  };
}

function lineOf({ step, zone, ok, durationMs, detail }: StepReport): string {
  const place = zone === '' ? '' : ` (${zone})`;
  return `${ok ? 'ok    ' : 'FAILED'} ${seconds(durationMs).padStart(9)}  ${step}${place}${detail === '' ? '' : `: ${detail}`}`;
}

const reportColumns = [
  { head: 'step', priority: 5, least: 16 },
  { head: 'zone', priority: 1 },
  { head: 'result', priority: 4 },
  { head: 'time', priority: 2 },
  { head: 'detail', priority: 3 },
];

function printReport(output: Output, { ok, driver, instanceType, steps, left }: CloudTestReport): void {
  const rows = steps.map(({ step, zone, ok: isOk, durationMs, detail }) => {
    return [step, zone || '-', isOk ? 'ok' : 'FAILED', seconds(durationMs), detail || '-'];
  });
  printTable(output, reportColumns, rows);
  for (const id of left)
    output.write(`May still exist: ${id}. Run the test again with --destroy-existing.\n`);
  output.write(`${driver}, ${instanceType}: ${ok ? 'passed' : 'FAILED'}\n`);
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
