import { setTimeout as pause } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import { parseDuration } from '../domain/duration.js';
import { ClientError, type Client } from './client.js';
import type { CommandContext } from './context.js';
import { FleetFollower, fetchFleet } from './fleet-follower.js';
import { fleetOrders, fleetPicture, type FleetOrder } from './fleet-table.js';
import { LiveScreen } from './live-screen.js';
import type { LocalTerminal } from './local-terminal.js';
import type { Output } from './output.js';

interface TopOptions {
  once?: boolean;
  json?: boolean;
  interval: string;
  sort: FleetOrder;
}

const notes = `
On a terminal the view is live: s changes the sort order, q quits. On a pipe it prints a table at each interval, with
--json a line of JSON.`;

/** Adds `top`: the live view of the fleet. */
export function addTopCommand(program: Command, context: CommandContext, terminal: LocalTerminal): void {
  program
    .command('top')
    .description('live view of the fleet')
    .option('--once', 'print once and exit')
    .option('--json', 'print one line of JSON per interval')
    .option('--interval <time>', 'time between two prints', '1s')
    .addOption(
      new Option('--sort <order>', 'sort order of the instances').choices(fleetOrders).default('state'),
    )
    .addHelpText('after', notes)
    .action(async (options: TopOptions, command: Command) => {
      const client = context.client(command);
      const intervalMs = intervalOf(options.interval);
      const isLive = terminal.isInteractive && !options.once && !options.json;
      if (isLive) await showLive(client, terminal, options.sort, intervalMs);
      else await printLooks(client, context.output, options, intervalMs);
    });
}

function intervalOf(text: string): number {
  try {
    return Math.max(100, parseDuration(text));
  } catch (error) {
    throw new ClientError(`--interval: ${(error as Error).message}`, 2, { cause: error });
  }
}

async function printLooks(
  client: Client,
  output: Output,
  options: TopOptions,
  intervalMs: number,
): Promise<void> {
  for (;;) {
    const now = await fetchFleet(client);
    if (options.json) output.write(`${JSON.stringify(now)}\n`);
    else {
      const picture = fleetPicture(now, {
        columns: output.columns ?? Number.POSITIVE_INFINITY,
        rows: Number.POSITIVE_INFINITY,
        order: options.sort,
        hasColor: false,
        nowMs: Date.now(),
        trouble: '',
      });
      output.write(`${picture.join('\n')}\n`);
    }
    if (options.once) return;
    await pause(intervalMs);
    if (!options.json) output.write('\n');
  }
}

/** Resolves when the user quits. Restores the screen. */
async function showLive(
  client: Client,
  terminal: LocalTerminal,
  sort: FleetOrder,
  intervalMs: number,
): Promise<void> {
  let order = sort;
  const follower = new FleetFollower(client, () => screen.changed());
  const screen = new LiveScreen(terminal, intervalMs, (columns, rows) => {
    const now = follower.now();
    if (!now) return ['…'];
    const hasColor = process.env['NO_COLOR'] === undefined;
    const { trouble } = follower;
    const options = { columns, order, hasColor, trouble, nowMs: Date.now() };
    // The lines above and below the instances are not truncated.
    const without = fleetPicture({ ...now, instances: [] }, { ...options, rows: 0 }).length;
    return fleetPicture(now, { ...options, rows: rows - without - 1 });
  });
  const onKey = (key: Buffer): void => {
    const text = key.toString();
    if (text === 'q' || text === '\u0003' || text === '\u0004') follower.stop();
    if (text === 's') order = fleetOrders[(fleetOrders.indexOf(order) + 1) % fleetOrders.length]!;
    screen.changed();
  };
  terminal.stdin.on('data', onKey);
  screen.open();
  try {
    await follower.follow();
  } finally {
    terminal.stdin.off('data', onKey);
    terminal.stdin.pause();
    screen.close();
  }
}
