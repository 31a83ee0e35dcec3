import type { Command } from 'commander';
import { ClientError } from './client.js';
import type { CommandContext } from './context.js';
import { printJson, printTable } from './output.js';
import type { Page } from './wire.js';

interface BreakerBody {
  key: string;
  state: string;
  because: string;
  until: string | null;
}

/** breakers, breakers reset. */
export function addBreakerCommands(program: Command, context: CommandContext): void {
  const { output } = context;
  const list = async (command: Command): Promise<BreakerBody[]> =>
    (await context.client(command).get<Page<BreakerBody>>('/v1/breakers')).items;
  const breakers = program
    .command('breakers')
    .description('what keeps the pool from asking for instances, until when, and why')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }, command: Command) => {
      const items = await list(command);
      if (options.json) return printJson(output, items);
      const rows = items.map((each) => [each.key, each.state, each.until ?? '-', each.because]);
      printTable(output, ['breaker', 'state', 'until', 'because'], rows);
    });
  breakers
    .command('reset')
    .description('try again at once')
    .argument('[key...]', 'as the list shows them, in quotes')
    .option('--all', 'every one')
    .action(async (keys: string[], options: { all?: boolean }, command: Command) => {
      if (keys.length === 0 && !options.all) throw new ClientError('give at least one breaker, or --all', 2);
      const wanted = options.all ? (await list(command)).map(({ key }) => key) : keys;
      for (const key of wanted) {
        await context.client(command).post('/v1/breakers/reset', { key });
        output.write(`${key}\treset\n`);
      }
    });
}
