import type { Command } from 'commander';
import type { CommandContext } from './context.js';
import type { LocalTerminal } from './local-terminal.js';
import { runRemoteSession } from './remote-session.js';

interface SshOptions {
  tty?: boolean;
  reason: string;
  hold?: boolean;
}

const notes = `
The daemon opens the session over its own connection, whose host key it has verified: neither its key nor a way to the
instance is needed here. Each session is journalled with its reason. The exit status is the remote one, 255 if the
connection was lost. On a terminal, "~." at the beginning of a line ends the session.

Examples:
  longshore ssh i-0123
  longshore ssh i-0123 --reason 'disk full?' df -h
  tar c dir | longshore ssh i-0123 tar x -C /tmp`;

/** ssh: a shell, or one command, on an instance. */
export function addSshCommand(program: Command, context: CommandContext, terminal: LocalTerminal): void {
  program
    .command('ssh')
    .description('open a shell on an instance, or run a command there')
    .argument('<instance>')
    .argument('[command...]', 'in place of a shell; options after its first word are its own')
    .option('-t, --tty', 'on a terminal, also for a command')
    .option('-T, --no-tty', 'without a terminal, also for a shell')
    .option('--reason <text>', 'why, for the journal', '')
    .option('--hold', 'hold the instance first, so that it is not shut down meanwhile; it stays held')
    .addHelpText('after', notes)
    .action(async (instance: string, words: string[], options: SshOptions, command: Command) => {
      const client = context.client(command);
      const path = `/v1/instances/${encodeURIComponent(instance)}`;
      if (options.hold) await client.post(`${path}/hold`, { reason: options.reason });
      const isShell = words.length === 0;
      const wantsTerminal = options.tty ?? (isShell && terminal.isInteractive);
      const socket = await client.socket(`${path}/shell`);
      const order = {
        command: isShell ? undefined : words.join(' '),
        terminal: wantsTerminal ? { name: terminal.name, ...terminal.size() } : undefined,
        reason: options.reason,
      };
      context.setExitCode(await runRemoteSession(socket, order, terminal));
    });
}
