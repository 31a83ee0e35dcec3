import { execFile } from 'node:child_process';

const longestWordMs = 10_000;

/**
 * Tells systemd, when it started this process as a service that tells, how far the daemon is. Resolves to the reason
 * when that cannot be told; the daemon works all the same, but systemd would end it at the end of its start timeout.
 */
export function tellServiceManager(
  word: 'ready' | 'stopping',
  status: string,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  if (!env['NOTIFY_SOCKET']) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const told = [`--${word}`, `--status=${status}`];
    execFile('systemd-notify', told, { env, timeout: longestWordMs }, (error) => resolve(error?.message));
  });
}
