import { execFile } from 'node:child_process';

const longestWordMs = 10_000;

/**
 * Notifies systemd of the daemon's state, if systemd started this process as a notifying service. Resolves to the reason of
 * a failure; the daemon then works, but systemd ends it after its start timeout.
 */
export function notifyServiceManager(
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
