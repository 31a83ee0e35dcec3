import { ClientError } from './client.js';
import type { CommandContext } from './context.js';

const refusedToken = 4;

/**
 * Acts on every id, whatever became of those before it. A failure is printed with its id on standard error and sets the
 * exit code; the highest one counts. Rejects only when the daemon refuses the token, which holds for all of them.
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
