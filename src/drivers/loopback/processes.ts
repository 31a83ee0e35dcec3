import { readdirSync, readFileSync } from 'node:fs';

/**
 * Ends every process whose environment names the folder: what a VM takes with it when it is destroyed. Only processes
 * that were started for an instance of this driver carry that folder.
 */
export function endProcessesOf(folder: string): void {
  const mark = `LONGSHORE_STATE_DIR=${folder}/`;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const environment = readFileSync(`/proc/${name}/environ`, 'latin1').split('\0');
      if (environment.some((entry) => entry.startsWith(mark))) process.kill(Number(name), 'SIGKILL');
    } catch {
      // It ended meanwhile, or belongs to somebody else.
    }
  }
}
