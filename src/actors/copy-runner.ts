import { fromPromise } from 'xstate';
import { quoteIfNeeded, singleQuote } from '../domain/shell-quote.js';
import type { OnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import { ExecutorError, type Executor, type RunOptions } from '../ssh/executor.js';
import type { Slots } from '../ssh/slots.js';
import type { Executors } from './executors.js';
import { inTurn } from './in-turn.js';
import { asRoot } from './remote-command.js';
import { remoteFailure } from './remote-failure.js';
import type { LoadedRunner, RunnerProgram } from './runner-program.js';

export interface CopyRunnerDeps {
  executors: Executors;
  runner: RunnerProgram;
  timeoutMs: number;
  /** How many copies may be on their way at once. */
  uploads: Slots;
}

/** Brings the runner program to the instance unless the very same is there (P-8, P-9, K-27). */
export const copyRunnerWith = ({ executors, runner, timeoutMs, uploads }: CopyRunnerDeps) =>
  fromPromise<RemoteOutcome, OnInstance>(async ({ input, signal }) => {
    if (!runner.isDeployed) return { ok: true };
    try {
      const loaded = await runner.load();
      const { executor, instance } = executors.of(input.instanceId);
      if (await isInstalled(executor, loaded, instance.remoteUser, { timeoutMs, signal }))
        return { ok: true };
      const command = installCommand(loaded, instance.remoteUser);
      const options = { stdin: loaded.content, timeoutMs, signal };
      await inTurn(uploads, signal, () => executor.run(command, options));
      return { ok: true };
    } catch (error) {
      return remoteFailure(error);
    }
  });

/** Asks as the login user, and again as root where that user may not look. */
async function isInstalled(
  executor: Executor,
  { md5, path }: LoadedRunner,
  remoteUser: string,
  options: Pick<RunOptions, 'timeoutMs' | 'signal'>,
): Promise<boolean> {
  const plain = `md5sum ${quoteIfNeeded(path)}`;
  for (const command of new Set([plain, asRoot(plain, remoteUser)])) {
    try {
      const { stdout, stderr } = await executor.run(command, options);
      return stderr === '' && stdout === `${md5}  ${path}\n`;
    } catch (error) {
      if (!(error instanceof ExecutorError && error.code === 'exit')) throw error;
    }
  }
  return false;
}

/** Written beside, checked, then renamed: the name never stands for half a program. */
export function installCommand({ md5, path }: LoadedRunner, remoteUser: string): string {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const script = [
    `set -e; dstdir=${doubleQuote(folder)}; dstfile=${doubleQuote(path)}; tmpfile="$dstfile.new.$$"`,
    `mkdir -p "$dstdir"; touch "$tmpfile"; chmod 0755 "$dstdir" "$tmpfile"; cat >"$tmpfile"`,
    `sum=$(md5sum <"$tmpfile"); if [ "\${sum%% *}" != ${md5} ]; then rm -f "$tmpfile"; echo "the copy is damaged" >&2; exit 1; fi`,
    `mv "$tmpfile" "$dstfile"`,
  ].join('; ');
  return remoteUser === 'root' ? script : `sudo sh -c ${singleQuote(script)}`;
}

function doubleQuote(text: string): string {
  return `"${text.replaceAll(/["$`\\]/g, '\\$&')}"`;
}
