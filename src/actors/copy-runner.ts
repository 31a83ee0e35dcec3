import { fromPromise } from 'xstate';
import { quoteIfNeeded, singleQuote } from '../domain/shell-quote.js';
import type { OnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import { ExecutorError, type Executor } from '../ssh/executor.js';
import type { Slots } from '../ssh/slots.js';
import type { Executors } from './executors.js';
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
      if (await isInstalled(executor, loaded, timeoutMs, signal)) return { ok: true };
      await uploads.take(signal);
      try {
        const command = installCommand(loaded, instance.remoteUser);
        await executor.run(command, { stdin: loaded.content, timeoutMs, signal });
      } finally {
        uploads.release();
      }
      return { ok: true };
    } catch (error) {
      return remoteFailure(error);
    }
  });

async function isInstalled(
  executor: Executor,
  { md5, path }: LoadedRunner,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { stdout, stderr } = await executor.run(`md5sum ${quoteIfNeeded(path)}`, { timeoutMs, signal });
    return stderr === '' && stdout === `${md5}  ${path}\n`;
  } catch (error) {
    if (error instanceof ExecutorError && error.code === 'exit') return false;
    throw error;
  }
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
