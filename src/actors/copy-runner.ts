import { fromPromise } from 'xstate';
import { quoteIfNeeded, singleQuote } from '../domain/shell-quote.js';
import type { OnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import { instanceLimits } from '../domain/instance-limits.js';
import { ExecutorError, type Executor, type RunOptions } from '../ssh/executor.js';
import type { FairSlots } from '../async/fair-slots.js';
import { type Turns, inTurn } from '../async/semaphore.js';
import type { Executors } from '../fleet/instance-executors.js';
import { asRoot } from '../runner/remote-command.js';
import { remoteFailure } from './remote-failure.js';
import type { LoadedRunner, RunnerProgram } from '../runner/program.js';

export interface CopyRunnerDeps {
  executors: Executors;
  runner: RunnerProgram;
  timeoutMs: number;
  /** How many copies may be on their way at once. */
  uploads: FairSlots;
}

const maxOutputBytes = instanceLimits.outputBytes.install;

/** Brings the runner program to the instance unless the very same is there (P-8, P-9, K-27). */
export const copyRunnerWith = ({ executors, runner, timeoutMs, uploads }: CopyRunnerDeps) =>
  fromPromise<RemoteOutcome, OnInstance>(async ({ input, signal }) => {
    if (!runner.isDeployed) return { ok: true };
    try {
      const loaded = await runner.load();
      const { executor, instance } = executors.of(input.instanceId);
      const { fallbackPath = loaded.path } = loaded;
      const options = { timeoutMs, signal, maxOutputBytes };
      const turns = uploads.of(input.instanceId);
      const put = (path: string): Promise<void> =>
        install(executor, { ...loaded, path }, instance.remoteUser, { options, uploads: turns });
      try {
        await put(loaded.path);
        executors.placed(input.instanceId, undefined);
      } catch (error) {
        const isRefused = error instanceof ExecutorError && error.code === 'exit';
        if (!isRefused || fallbackPath === loaded.path) throw error;
        await put(fallbackPath);
        executors.placed(input.instanceId, fallbackPath);
      }
      return { ok: true };
    } catch (error) {
      return remoteFailure(error);
    }
  });

async function install(
  executor: Executor,
  loaded: LoadedRunner,
  remoteUser: string,
  {
    options,
    uploads,
  }: { options: Pick<RunOptions, 'timeoutMs' | 'signal' | 'maxOutputBytes'>; uploads: Turns },
): Promise<void> {
  if (await isInstalled(executor, loaded, remoteUser, options)) return;
  const command = installCommand(loaded, remoteUser);
  const { stdout, stderr } = await inTurn(uploads, options.signal, () =>
    executor.run(command, { ...options, stdin: loaded.content }),
  );
  assertInstalled(loaded, stdout, stderr);
}

/** Asks as the login user, and again as root where that user may not look. */
async function isInstalled(
  executor: Executor,
  { md5, path }: LoadedRunner,
  remoteUser: string,
  options: Pick<RunOptions, 'timeoutMs' | 'signal' | 'maxOutputBytes'>,
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

/** What a shell answers when a file cannot be executed, or is not there. */
const cannotExecute = new Set([126, 127]);

/** Judges what the host says of the file that it has now. Throws {@link ExecutorError}. */
function assertInstalled({ md5, path }: LoadedRunner, stdout: string, stderr: string): void {
  const [, sum, status] = /^([0-9a-f]{32}) (\d{1,3})\n$/.exec(stdout) ?? [];
  if (sum !== md5) {
    const said = JSON.stringify(stdout.slice(0, 300));
    const message = `the runner program was not installed as ${path}: its checksum there should be ${md5}, the host said ${said}`;
    throw new ExecutorError('exit', message, { stdout, stderr, exitCode: 1 });
  }
  if (cannotExecute.has(Number(status))) {
    const message = `${notExecutable(path)} (status ${status})`;
    throw new ExecutorError('exit', message, { stdout, stderr, exitCode: Number(status) });
  }
}

/** With the remedy. */
export function notExecutable(path: string): string {
  const folder = path.slice(0, path.lastIndexOf('/'));
  return (
    `the runner program ${path} cannot be executed on the instance: is ${folder} mounted noexec? ` +
    'Set runner.deployDirectory to a folder on a file system that may execute programs'
  );
}

/**
 * Written beside, checked, then renamed: the name never stands for half a program. Prints the checksum of what is there
 * then, and the status with which it runs.
 */
export function installCommand({ md5, path }: LoadedRunner, remoteUser: string): string {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const script = [
    `set -e; dstdir=${doubleQuote(folder)}; dstfile=${doubleQuote(path)}; tmpfile="$dstfile.new.$$"`,
    `mkdir -p "$dstdir"; touch "$tmpfile"; chmod 0755 "$dstdir" "$tmpfile"; cat >"$tmpfile"`,
    `sum=$(md5sum <"$tmpfile"); if [ "\${sum%% *}" != ${md5} ]; then rm -f "$tmpfile"; echo "the copy is damaged" >&2; exit 1; fi`,
    `mv "$tmpfile" "$dstfile"; sum=$(md5sum <"$dstfile"); status=0`,
    `"$dstfile" --version </dev/null >/dev/null 2>&1 || status=$?; echo "\${sum%% *} $status"`,
  ].join('; ');
  return remoteUser === 'root' ? script : `sudo sh -c ${singleQuote(script)}`;
}

function doubleQuote(text: string): string {
  return `"${text.replaceAll(/["$`\\]/g, '\\$&')}"`;
}
