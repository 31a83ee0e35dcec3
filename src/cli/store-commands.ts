import type { Command } from 'commander';
import { ClientError, type ConnectionOptions } from './client.js';
import type { CommandContext } from './context.js';
import { printJson, printTable, startProgress } from './output.js';

/** What is done to a store without a daemon. Both reject with what is wrong and the remedy. */
export interface StoreCommands {
  /** Brings the schema up to date; returns the steps taken. */
  migrate(configPath: string): Promise<{ store: string; steps: string[] }>;
  /** Copies an embedded store into the configured, empty one; returns the rows of each table. */
  copy(
    configPath: string,
    from: string | undefined,
    progress: (text: string) => void,
  ): Promise<{ from: string; to: string; rows: Record<string, number> }>;
}

/** store migrate, store copy. */
export function addStoreCommands(
  program: Command,
  { output }: CommandContext,
  { stores, env }: { stores: StoreCommands; env: NodeJS.ProcessEnv },
): void {
  const store = program.command('store').description('prepare and move the store');
  const configOf = (command: Command): string => {
    const path = command.optsWithGlobals<ConnectionOptions>().config ?? env['LONGSHORE_CONFIG'];
    if (path === undefined)
      throw new ClientError('give the configuration: longshore --config FILE store …', 2);
    return path;
  };
  store
    .command('migrate')
    .description('create the tables of the configured store, or bring them up to date')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nRun it as a user who may create tables; the daemon itself needs no such right then.',
    )
    .action(async ({ json }: { json?: true }, command: Command) => {
      const done = await stores.migrate(configOf(command));
      if (json) return printJson(output, done);
      const what = done.steps.length === 0 ? 'is up to date' : `now has ${done.steps.join(', ')}`;
      output.write(`${done.store} ${what}\n`);
    });
  store
    .command('copy')
    .description('copy an embedded store into the configured PostgreSQL database, which must be empty')
    .option('--from <file>', 'the embedded store; default: longshore.db in the state folder')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nStop the daemon first. All is copied in one transaction, and counted on both sides.',
    )
    .action(async ({ from, json }: { from?: string; json?: true }, command: Command) => {
      const progress = startProgress(output, 'opening');
      try {
        const done = await stores.copy(configOf(command), from, (text) => (progress.text = text));
        progress.stop();
        if (json) return printJson(output, done);
        output.write(`${done.from} was copied to ${done.to}\n`);
        printTable(
          output,
          ['table', 'rows'],
          Object.entries(done.rows).map(([table, rows]) => [table, String(rows)]),
        );
      } finally {
        progress.stop();
      }
    });
}
