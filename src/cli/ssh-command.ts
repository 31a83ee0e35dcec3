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
The daemon opens the session over its own connection, whose host key it has verified. You need neither its key nor a
network path to the instance. The journal records each session with its reason. The exit status is that of the remote
command, or 255 if the connection was lost. On a terminal, "~." at the start of a line ends the session.

Examples:
  longshore ssh i-0123
  longshore ssh i-0123 --reason 'disk full?' df -h
  tar c dir | longshore ssh i-0123 tar x -C /tmp`;

/** Adds `ssh`: a shell or one command on an instance. */
export function addSshCommand(program: Command, context: CommandContext, terminal: LocalTerminal): void {
  program
    .command('ssh')
    .description('open a shell or run a command on an instance')
    .argument('<instance>')
    .argument('[command...]', 'command instead of a shell; options after its first word belong to it')
    .option('-t, --tty', 'allocate a terminal, also for a command')
    .option('-T, --no-tty', 'allocate no terminal, also for a shell')
    .option('--reason <text>', 'reason, for the journal', '')
    .option('--hold', 'put the instance on hold first, so that it does not shut down; it stays on hold')
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
