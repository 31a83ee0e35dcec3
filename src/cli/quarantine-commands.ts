import type { Command } from 'commander';
import { ClientError } from './client.js';
import type { CommandContext } from './context.js';
import { printJson, printTable } from './output.js';
import type { InstanceBody, Page } from './wire.js';

function rowOf({ instance, address, containers, conduct, quarantine }: InstanceBody): string[] {
  const { since, because } = quarantine!;
  return [instance, address || '-', since, containers.join(' ') || '-', didOf(conduct), because];
}

/** Returns strikes by kind, claims that were refused, and bytes that were left out of the journal. */
function didOf(conduct: InstanceBody['conduct']): string {
  if (!conduct) return '-';
  const { strikes, claimsRefused, bytesLeftOut } = conduct;
  return [
    ...Object.entries(strikes).map(([kind, count]) => `${count} ${kind}`),
    ...(claimsRefused > 0 ? [`${claimsRefused} claims refused`] : []),
    ...(bytesLeftOut > 0 ? [`${bytesLeftOut} bytes left out`] : []),
  ].join(', ');
}

/** Adds `quarantine` and `quarantine clear`. */
export function addQuarantineCommands(program: Command, context: CommandContext): void {
  const { output } = context;
  const quarantine = program
    .command('quarantine')
    .description('list quarantined instances with the reason')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }, command: Command) => {
      const { items } = await context.client(command).get<Page<InstanceBody>>('/v1/instances');
      const inside = items.filter((each) => each.quarantine);
      if (options.json) return printJson(output, inside);
      printTable(output, ['instance', 'address', 'since', 'containers', 'did', 'because'], inside.map(rowOf));
    });
  quarantine
    .command('clear')
    .description('return instances to service, when nothing runs on them any more')
    .argument('<id...>', 'instance ids')
    .option('--force', 'skip the check on the host: nothing runs there')
    .option('--reason <text>', 'why', '')
    .action(async (ids: string[], options: { force?: boolean; reason: string }, command: Command) => {
      for (const id of ids) {
        try {
          const path = `/v1/instances/${encodeURIComponent(id)}/clear-quarantine`;
          await context.client(command).post(path, { force: options.force ?? false, reason: options.reason });
          output.write(`${id}\tcleared\n`);
        } catch (error) {
          if (!(error instanceof ClientError) || error.exitCode > 1) throw error;
          output.error(`${id}: ${error.message}\n`);
          context.setExitCode(1);
        }
      }
    });
}
