import type { Command } from 'commander';
import type { CommandContext } from './context.js';
import { printable, printJson } from './output.js';

interface StatusBody {
  version: string;
  /** `null`: the store does not say. */
  containers: Record<string, number> | null;
  /** Of a daemon that leads. */
  instances?: Record<string, number>;
  failed?: number | null;
  atQuota?: boolean;
  health: string;
  /** False: a fault of the daemon; full quota is none. Not given by earlier versions. */
  isWell?: boolean;
}

/** status: whether the daemon is well, for people and for health checks; exit status 1 when it is not. */
export function addStatusCommand(program: Command, context: CommandContext): void {
  const { output } = context;
  program
    .command('status')
    .description('whether the daemon is well; exit status 1 when it is not, 3 when it does not answer')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }, command: Command) => {
      const status = await context.client(command).get<StatusBody>('/v1/status');
      if (!(status.isWell ?? status.health === 'OK')) context.setExitCode(1);
      if (options.json) return printJson(output, status);
      const counts = (of: Record<string, number> | null | undefined): string =>
        of ? inWords(of) : 'not known';
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
