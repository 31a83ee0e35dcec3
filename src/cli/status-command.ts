import type { Command } from 'commander';
import type { CommandContext } from './context.js';
import { printable, printJson } from './output.js';

interface StatusBody {
  version: string;
  /** `null`: the store does not respond. */
  containers: Record<string, number> | null;
  /** Only from the leader. */
  instances?: Record<string, number>;
  failed?: number | null;
  atQuota?: boolean;
  health: string;
  /** False: an error of the daemon; a reached quota is none. Missing from earlier versions. */
  isWell?: boolean;
}

/** Adds `status`: the health of the daemon for operators and health checks; exit status 1 reports an error. */
export function addStatusCommand(program: Command, context: CommandContext): void {
  const { output } = context;
  program
    .command('status')
    .description('print the health of the daemon; exit status 1: error, 3: no answer')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }, command: Command) => {
      const status = await context.client(command).get<StatusBody>('/v1/status');
      if (!(status.isWell ?? status.health === 'OK')) context.setExitCode(1);
      if (options.json) return printJson(output, status);
      const counts = (of: Record<string, number> | null | undefined): string =>
        of ? inWords(of) : 'unknown';
      const inWords = (of: Record<string, number>): string =>
        Object.entries(of)
          .map(([name, count]) => `${count} ${name}`)
          .join(', ') || 'none';
      const lines = [
        `health      ${printable(status.health)}`,
        `version     ${printable(status.version)}`,
        `instances   ${counts(status.instances)}${status.atQuota ? ' (at quota)' : ''}`,
        `containers  ${counts(status.containers)}${failedOf(status)}`,
      ];
      output.write(`${lines.join('\n')}\n`);
    });
}

function failedOf({ failed }: StatusBody): string {
  return failed ? ` (${failed} of the complete ones failed)` : '';
}
