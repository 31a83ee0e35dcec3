import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const mostPasses = 50;
const betweenPassesMs = 20;

/**
 * Ends every process whose environment names the folder: what a VM takes with it when it is destroyed. Only processes
 * that were started for an instance of this driver carry that folder. Looks again until none is left, since one may
 * have begun another meanwhile; false when some would not go.
 */
export async function endProcessesOf(folder: string): Promise<boolean> {
  for (let pass = 0; pass < mostPasses; pass++) {
    if (killAll(`LONGSHORE_STATE_DIR=${folder}/`) === 0) return true;
    // Real time, whatever the clock of the driver: these are real processes.
    await pause(betweenPassesMs);
  }
  return false;
}

/** How many were there and had not ended yet. */
function killAll(mark: string): number {
  let killed = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const environment = readFileSync(`/proc/${name}/environ`, 'latin1').split('\0');
      if (!environment.some((entry) => entry.startsWith(mark))) continue;
      process.kill(Number(name), 'SIGKILL');
      killed++;
    } catch {
      // It ended meanwhile, or belongs to somebody else.
    }
  }
  return killed;
}
