import type { Command } from 'commander';
import { ClientError } from './client.js';
import type { CommandContext } from './context.js';
import { forEachId } from './each-id.js';
import { printJson, printTable } from './output.js';
import type { Page } from './wire.js';

interface SessionBody {
  id: string;
  address: string;
  openedAt: string;
  expiresAt: string;
}

/** Adds `sessions` and `sessions end`. */
export function addSessionCommands(program: Command, context: CommandContext): void {
  const { output } = context;
  const sessions = program
    .command('sessions')
    .description('list the login sessions of the page')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }, command: Command) => {
      const page = await context.client(command).get<Page<SessionBody>>('/v1/sessions');
      if (options.json) return printJson(output, page);
      const rows = page.items.map(({ id, address, openedAt, expiresAt }) => [
        id,
        address,
        openedAt,
        expiresAt,
      ]);
      printTable(output, ['session', 'address', 'since', 'until'], rows);
    });
  sessions
    .command('end')
    .description('end login sessions at every daemon')
    .argument('[id...]', 'session ids')
    .option('--all', 'all of them')
    .action(async (ids: string[], { all }: { all?: true }, command: Command) => {
      const client = context.client(command);
      if (!all && ids.length === 0) throw new ClientError('no session given: use ids, or --all', 2);
      const ending = all
        ? (await client.get<Page<SessionBody>>('/v1/sessions')).items.map(({ id }) => id)
        : ids;
      await forEachId(ending, context, async (id) => {
        await client.post(`/v1/sessions/${encodeURIComponent(id)}/end`, {});
        output.write(`${id}\tended\n`);
      });
    });
}
