import type { Command } from 'commander';
import { ClientError, type ConnectionOptions } from './client.js';
import type { CommandContext } from './context.js';
import { printJson, printTable, startProgress } from './output.js';

/** Operations on a store without a daemon. All reject with cause and remedy. */
export interface StoreCommands {
  /** Migrates the schema to this version; returns the applied steps. */
  migrate(configPath: string): Promise<{ store: string; steps: string[] }>;
  /** Copies an embedded store into the configured, empty one; returns the row count of each table. */
  copy(
    configPath: string,
    from: string | undefined,
    progress: (text: string) => void,
  ): Promise<{ from: string; to: string; rows: Record<string, number> }>;
}

/** Operations on the file of an embedded store. All reject with cause and remedy. */
export interface StoreFileCommands {
  /** Reads the whole store; rejects when it is damaged. */
  check(configPath: string): Promise<{ store: string; bytes: number }>;
  /** Copies the store into a new file, also while a daemon uses it. */
  backUp(configPath: string, file: string): Promise<{ store: string; to: string; bytes: number }>;
  /** Replaces the store by a copy. `aside`: the new name of the replaced store. */
  restore(configPath: string, file: string): Promise<{ store: string; aside: string | undefined }>;
  /** Creates an empty store. */
  init(configPath: string, isForced: boolean): Promise<{ store: string; aside: string | undefined }>;
}

/** Adds `store migrate`, `copy`, `check`, `backup`, `restore` and `init`. */
export function addStoreCommands(
  program: Command,
  { output }: CommandContext,
  {
    stores,
    storeFiles,
    env,
  }: { stores: StoreCommands; storeFiles?: StoreFileCommands | undefined; env: NodeJS.ProcessEnv },
): void {
  const store = program.command('store').description('prepare, check, back up and copy the store');
  const configOf = (command: Command): string => {
    const path = command.optsWithGlobals<ConnectionOptions>().config ?? env['LONGSHORE_CONFIG'];
    if (path === undefined)
      throw new ClientError('no configuration given: longshore --config FILE store …', 2);
    return path;
  };
  store
    .command('migrate')
    .description('create the tables of the configured store, or migrate them to this version')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nRun it as a user who may create tables; the daemon itself then needs no such right.',
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
      '\nStop the daemon first. The copy is one transaction, and row counts are compared.',
    )
    .action(async ({ from, json }: { from?: string; json?: true }, command: Command) => {
      const progress = startProgress(output, 'opening');
      try {
        const done = await stores.copy(configOf(command), from, (text) => (progress.text = text));
        progress.stop();
        if (json) return printJson(output, done);
        output.write(`copied ${done.from} to ${done.to}\n`);
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
  const report = (done: object, isJson: true | undefined, text: string): void =>
    isJson ? printJson(output, done) : output.write(`${text}\n`);
  const asideText = (aside: string | undefined): string =>
    aside === undefined ? '' : `; the earlier store is now ${aside}`;
  add(
    'check',
    'read the whole embedded store and report damage',
    'A daemon may use the store meanwhile. Exit status 1: the store is damaged or missing; the message has the remedy.',
  ).action(async ({ json }: { json?: true }, command: Command) => {
    const done = await files.check(configOf(command));
    report(done, json, `${done.store} is undamaged (${done.bytes} bytes)`);
  });
  add(
    'backup',
    'copy the embedded store into a new file, consistently',
    'A daemon may use the store meanwhile. The copy is self-contained and checked. Protect it like the store.',
  )
    .argument('<file>', 'the copy, which must not exist yet')
    .action(async (file: string, { json }: { json?: true }, command: Command) => {
      const done = await files.backUp(configOf(command), file);
      report(done, json, `copied ${done.store} to ${done.to} (${done.bytes} bytes)`);
    });
  add(
    'restore',
    'replace the embedded store by a copy',
    'Stop the daemon first. The existing store is renamed, and nothing is deleted.',
  )
    .argument('<file>', 'a copy made with "store backup", or the longshore.db of a stopped daemon')
    .action(async (file: string, { json }: { json?: true }, command: Command) => {
      const done = await files.restore(configOf(command), file);
      report(done, json, `restored ${done.store}${asideText(done.aside)}`);
    });
  add(
    'init',
    'create an empty embedded store',
    'Stop the daemon first. A daemon creates its first store itself; use this to start over.',
  )
    .option('--force', 'rename the existing store, or what remains of it')
    .action(async ({ json, force = false }: { json?: true; force?: boolean }, command: Command) => {
      const done = await files.init(configOf(command), force);
      report(done, json, `created ${done.store}${asideText(done.aside)}`);
    });
}
