import { ClientError } from './client.js';
import type { CommandContext } from './context.js';

const refusedToken = 4;

/**
 * Calls `act` for every id, also after failures. Prints each failure with its id on standard error and sets the exit
 * code to the highest one. Rejects only when the daemon refuses the token, which affects every id.
 */
export async function forEachId(
  ids: readonly string[],
  context: CommandContext,
  act: (id: string) => Promise<void>,
): Promise<void> {
  let exitCode = 0;
  for (const id of new Set(ids)) {
    try {
      await act(id);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.exitCode === refusedToken) throw error;
      context.output.error(`${id}: ${error.message}\n`);
      exitCode = Math.max(exitCode, error.exitCode);
    }
  }
  if (exitCode !== 0) context.setExitCode(exitCode);
}
