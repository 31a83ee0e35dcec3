import type { Command } from 'commander';
import type { CommandContext } from './context.js';
import { printJson, printTable } from './output.js';

interface HostKeyBody {
  instance: string;
  type: string;
  fingerprint: string;
  pinnedAt: string;
  isFinal: boolean;
  refused: { type: string; fingerprint: string } | null;
}

const columns = ['instance', 'key', 'type', 'fingerprint'];
const examples = `
Examples:
  longshore host-key show i-0123
  longshore host-key accept i-0123 SHA256:…   after comparing with: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`;

/** Adds `host-key show` and `host-key accept`. */
export function addHostKeyCommands(program: Command, context: CommandContext): void {
  const { output } = context;
  const pathOf = (id: string, what: string): string => `/v1/instances/${encodeURIComponent(id)}/${what}`;
  const hostKey = program
    .command('host-key')
    .description('show and accept the pinned SSH host keys of instances')
    .addHelpText('after', examples);
  hostKey
    .command('show')
    .description('print the pinned key of an instance, and the last rejected key')
    .argument('<id>', 'instance id')
    .option('--json', 'as JSON')
    .action(async (id: string, options: { json?: boolean }, command: Command) => {
      const body = await context.client(command).get<HostKeyBody>(pathOf(id, 'host-key'));
      if (options.json) return printJson(output, body);
      const rows = [
        [id, body.isFinal ? 'pinned' : 'pinned while booting', body.type || '-', body.fingerprint],
      ];
      if (body.refused) rows.push([id, 'refused', body.refused.type || '-', body.refused.fingerprint]);
      printTable(output, columns, rows);
    });
  hostKey
    .command('accept')
    .description('pin another key: the one with the fingerprint, or the last rejected key')
    .argument('<id>', 'instance id')
    .argument('[fingerprint]', 'as shown on the instance itself, SHA256:…')
    .option('--reason <text>', 'why', '')
    .action(
      async (id: string, fingerprint: string | undefined, options: { reason: string }, command: Command) => {
        const body = { reason: options.reason, ...(fingerprint === undefined ? {} : { fingerprint }) };
        const accepted = await context.client(command).post<HostKeyBody>(pathOf(id, 'accept-host-key'), body);
        output.write(`${id}\t${accepted.fingerprint}\taccepted\n`);
      },
    );
}
