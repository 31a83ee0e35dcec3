import type { Command } from 'commander';
import { ClientError } from './client.js';
import type { CommandContext } from './context.js';
import { forEachId } from './each-id.js';
import { printJson, printTable } from './output.js';
import type { Page } from './wire.js';

const breakerColumns = [
  { head: 'breaker', priority: 4, least: 20 },
  { head: 'state', priority: 3 },
  { head: 'until', priority: 1, least: 24 },
  { head: 'reason', priority: 2 },
];

interface BreakerBody {
  key: string;
  state: string;
  reason: string;
  until: string | null;
}

/** Adds `breakers` and `breakers reset`. */
export function addBreakerCommands(program: Command, context: CommandContext): void {
  const { output } = context;
  const list = async (command: Command): Promise<BreakerBody[]> =>
    (await context.client(command).get<Page<BreakerBody>>('/v1/breakers')).items;
  const breakers = program
    .command('breakers')
    .description('list the circuit breakers that are not closed, with cause and end')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }, command: Command) => {
      const items = await list(command);
      if (options.json) return printJson(output, items);
      const rows = items.map((each) => [each.key, each.state, each.until ?? '-', each.reason]);
      printTable(output, breakerColumns, rows);
    });
  breakers
    .command('reset')
    .description('close breakers')
    .argument('[key...]', 'keys as listed, quoted')
    .option('--all', 'all of them')
    .action(async (keys: string[], options: { all?: boolean }, command: Command) => {
      if (keys.length === 0 && !options.all) throw new ClientError('give at least one breaker, or --all', 2);
      const selected = options.all ? (await list(command)).map(({ key }) => key) : keys;
      const client = context.client(command);
      await forEachId(selected, context, async (key) => {
        await client.post('/v1/breakers/reset', { key });
        output.write(`${key}\treset\n`);
      });
    });
}
