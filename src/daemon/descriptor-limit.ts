import { readFileSync } from 'node:fs';

/** Loading the program opens several hundred files at once, more on a busy host. */
const least = 1_024;
/** Descriptors of the daemon without instances: the store, the API and its clients. */
const withoutInstances = 256;
/** Descriptors of one instance: its connection, and short-lived ones. */
const perInstance = 2;

/**
 * Returns how many files, sockets and pipes this process may open; `undefined` where the system does not report it.
 */
function descriptorLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined || soft === 'unlimited' ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** Returns why the limit of this process is too low, with the remedy; `undefined` when it is sufficient. */
export function tooFewDescriptors(limit = descriptorLimit()): string | undefined {
  if (limit === undefined || limit >= least) return undefined;
  return `this process may have ${limit} files open, and needs ${least} at least: ${remedy(4_096)}`;
}

/** Returns why the limit is low for a fleet of that size, with the remedy; `undefined` when it is sufficient. */
export function fewDescriptorsFor(maxInstances: number, limit = descriptorLimit()): string | undefined {
  const needed = withoutInstances + perInstance * maxInstances;
  if (limit === undefined || limit >= needed) return undefined;
  return `this process may have ${limit} files open, and ${maxInstances} instances may need ${needed}: ${remedy(2 * needed)}`;
}

function remedy(limit: number): string {
  return `raise the limit with "ulimit -n ${limit}", or LimitNOFILE=${limit} in its systemd unit`;
}
