import { readFileSync } from 'node:fs';

/** Loading the program opens several hundred files at once, on a busy host more. */
const least = 1_024;
/** Of the running daemon without its instances: the store, the API and its clients. */
const withoutInstances = 256;
/** Of one instance: its connection, and what is opened for a moment. */
const perInstance = 2;

/** How many files, sockets and pipes this process may have open; `undefined` where the system does not tell. */
function descriptorLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined || soft === 'unlimited' ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/** Why this process cannot be run with its limit, and what to do; `undefined` when it can. */
export function tooFewDescriptors(limit = descriptorLimit()): string | undefined {
  if (limit === undefined || limit >= least) return undefined;
  return `this process may have ${limit} files open, and needs ${least} at least: ${remedy(4_096)}`;
}

/** Why the limit is short for a fleet of that size, and what to do; `undefined` when it is not. */
export function fewDescriptorsFor(maxInstances: number, limit = descriptorLimit()): string | undefined {
  const needed = withoutInstances + perInstance * maxInstances;
  if (limit === undefined || limit >= needed) return undefined;
  return `this process may have ${limit} files open, and ${maxInstances} instances may need ${needed}: ${remedy(2 * needed)}`;
}

function remedy(limit: number): string {
  return `raise the limit with "ulimit -n ${limit}", or LimitNOFILE=${limit} in its systemd unit`;
}
