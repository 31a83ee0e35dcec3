import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const mostPasses = 50;
const betweenPassesMs = 20;

/**
 * Ends the processes of an instance, as a VM takes them with it when it is destroyed: those whose environment names the
 * folder, their descendants, and those in control groups of its containers, whatever their environment. Looks again
 * until none is left, as a process may have started another meanwhile. Returns false when some do not end.
 */
export async function endProcessesOf(folder: string): Promise<boolean> {
  for (let pass = 0; pass < mostPasses; pass++) {
    if (killAll(folder) === 0) return true;
    // Real time, whatever the clock of the driver: these are real processes.
    await pause(betweenPassesMs);
  }
  return false;
}

/** Returns the number of processes that had not ended yet. */
function killAll(folder: string): number {
  const parents = runningProcesses();
  const marked = [...parents.keys()].filter((pid) => isMarked(pid, `LONGSHORE_STATE_DIR=${folder}/`));
  const found = withDescendants([...marked, ...inControlGroups(join(folder, 'state/c'))], parents);
  let killed = 0;
  for (const pid of found) {
    if (pid === process.pid || !parents.has(pid)) continue;
    try {
      process.kill(pid, 'SIGKILL');
      killed++;
    } catch {
      // It ended meanwhile, or belongs to another user.
    }
  }
  return killed;
}

/** The parent of each process that has not ended. */
function runningProcesses(): Map<number, number> {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const [, state, parent] = /\) (\S) (\d+) [^)]*$/.exec(textOf(`/proc/${name}/stat`)) ?? [];
    if (parent !== undefined && state !== 'Z' && state !== 'X') parents.set(Number(name), Number(parent));
  }
  return parents;
}

function isMarked(pid: number, mark: string): boolean {
  return textOf(`/proc/${pid}/environ`)
    .split('\0')
    .some((entry) => entry.startsWith(mark));
}

function withDescendants(pids: readonly number[], parents: ReadonlyMap<number, number>): Set<number> {
  const found = new Set(pids);
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return found;
}

/** Processes in the control groups that the runner program recorded for its containers. */
function inControlGroups(containers: string): number[] {
  return childrenOf(containers).flatMap((uuid) => {
    const group = textOf(join(containers, uuid, 'cgroup')).trim();
    if (!basename(group).startsWith(`longshore-${uuid}.`)) return [];
    return textOf(join(group, 'cgroup.procs')).split('\n').filter(Boolean).map(Number);
  });
}

function childrenOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Empty for a file that cannot be read: its process ended meanwhile, or belongs to another user. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
