import type { Command } from 'commander';
import { ClientError, type ConnectionOptions } from './client.js';
import type { CommandContext } from './context.js';
import { printJson, printTable, startProgress } from './output.js';

/** What is done to a store without a daemon. All reject with what is wrong and the remedy. */
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

/** What is done to the file of an embedded store. All reject with what is wrong and the remedy. */
export interface StoreFileCommands {
  /** Reads all of it; rejects with what is damaged. */
  check(configPath: string): Promise<{ store: string; bytes: number }>;
  /** Copies it into a new file, also while a daemon uses it. */
  backUp(configPath: string, file: string): Promise<{ store: string; to: string; bytes: number }>;
  /** Puts a copy in its place. `aside`: where that which was there is now. */
  restore(configPath: string, file: string): Promise<{ store: string; aside: string | undefined }>;
  /** Makes a new one, empty. */
  init(configPath: string, isForced: boolean): Promise<{ store: string; aside: string | undefined }>;
}

/** store migrate, copy, check, backup, restore, init. */
export function addStoreCommands(
  program: Command,
  { output }: CommandContext,
  {
    stores,
    storeFiles,
    env,
  }: { stores: StoreCommands; storeFiles?: StoreFileCommands | undefined; env: NodeJS.ProcessEnv },
): void {
  const store = program.command('store').description('prepare, check, back up and move the store');
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
  if (storeFiles) addFileCommands(store, output, { files: storeFiles, configOf });
}

function addFileCommands(
  store: Command,
  output: CommandContext['output'],
  { files, configOf }: { files: StoreFileCommands; configOf(command: Command): string },
): void {
  const add = (name: string, description: string, more: string): Command =>
    store
      .command(name)
      .description(description)
      .option('--json', 'print JSON')
      .addHelpText('after', `\n${more}`);
  const tell = (done: object, isJson: true | undefined, text: string): void =>
    isJson ? printJson(output, done) : output.write(`${text}\n`);
  const asideText = (aside: string | undefined): string =>
    aside === undefined ? '' : `; what was there is ${aside}`;
  add(
    'check',
    'read all of the embedded store, and say whether it is whole',
    'A daemon may use it meanwhile. Exit status 1: it is damaged or not there, and the message says what to do.',
  ).action(async ({ json }: { json?: true }, command: Command) => {
    const done = await files.check(configOf(command));
    tell(done, json, `${done.store} is whole (${done.bytes} bytes)`);
  });
  add(
    'backup',
    'copy the embedded store into a new file, as of one moment',
    'A daemon may use it meanwhile. The copy is whole by itself, and checked. Keep it as safe as the store.',
  )
    .argument('<file>', 'the copy, which must not be there yet')
    .action(async (file: string, { json }: { json?: true }, command: Command) => {
      const done = await files.backUp(configOf(command), file);
      tell(done, json, `${done.store} was copied to ${done.to} (${done.bytes} bytes)`);
    });
  add(
    'restore',
    'put a copy in the place of the embedded store',
    'Stop the daemon first. What is there is set aside under another name, and nothing is deleted.',
  )
    .argument('<file>', 'a copy made with "store backup", or the longshore.db of a stopped daemon')
    .action(async (file: string, { json }: { json?: true }, command: Command) => {
      const done = await files.restore(configOf(command), file);
      tell(done, json, `${done.store} was restored${asideText(done.aside)}`);
    });
  add(
    'init',
    'make an embedded store, empty',
    'Stop the daemon first. A daemon makes its first store by itself; this is for beginning anew.',
  )
    .option('--force', 'set the store that is there aside, or what is left of it')
    .action(async ({ json, force = false }: { json?: true; force?: boolean }, command: Command) => {
      const done = await files.init(configOf(command), force);
      tell(done, json, `${done.store} was made${asideText(done.aside)}`);
    });
}
