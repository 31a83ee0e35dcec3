import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findTool } from '../support/tools.js';

/** The words of `unshare` that give a host mounts, processes and an uptime of its own; it ends with its parent. */
export const unshareWords: readonly string[] = [
  ...['setpriv', '--pdeathsig', 'KILL'],
  ...['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'],
];

let known: { reason: string | undefined } | undefined;

/** Why this machine cannot run hosts of the zoo; `undefined` when it can. */
export function whyNoZoo(): string | undefined {
  known ??= { reason: look() };
  return known.reason;
}

function look(): string | undefined {
  if (process.getuid?.() !== 0) return 'hosts in namespaces need root';
  for (const tool of ['unshare', 'setpriv', 'nsenter', 'bash']) {
    if (findTool(tool) === undefined) return `${tool} is not installed (util-linux, bash)`;
  }
  if (!existsSync('/usr/sbin/sshd')) return 'sshd is not installed (openssh-server)';
  const [file, ...words] = unshareWords;
  const tried = spawnSync(file!, [...words, 'mount', '-t', 'tmpfs', 'none', '/run'], { encoding: 'utf8' });
  return tried.status === 0 ? undefined : `no namespaces can be made here: ${tried.stderr.trim()}`;
}
