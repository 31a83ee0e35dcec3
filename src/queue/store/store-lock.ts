import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { QueueError } from '../queue.js';

/** Says which process uses the store. */
interface Holder {
  pid: number;
  /** Clock ticks since boot at which it started, where the system tells: a pid alone may have a new owner. */
  began: string;
}

/**
 * Makes this process the only user of the store; a lock whose process is dead is taken over. Returns the release.
 * Throws {@link QueueError} `conflict` naming the holder.
 */
export function lockStore(path: string): () => void {
  mkdirSync(dirname(path), { recursive: true });
  const lockPath = `${path}.lock`;
  const mine: Holder = { pid: process.pid, began: beganOf(process.pid) };
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(lockPath, JSON.stringify(mine), { flag: 'wx', mode: 0o600 });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new QueueError('unavailable', `store lock ${lockPath} cannot be written`, { cause: error });
      }
      const holder = readHolder(lockPath);
      if (attempt > 0 || (holder && isAlive(holder))) {
        const who = holder ? `process ${holder.pid}` : 'another process';
        throw new QueueError(
          'conflict',
          `store ${path} is in use by ${who}: stop it, or give this daemon another store`,
        );
      }
      rmSync(lockPath, { force: true });
    }
  }
  return () => rmSync(lockPath, { force: true });
}

function readHolder(lockPath: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(lockPath, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

function isAlive({ pid, began }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const { state, began: present } = statOf(pid);
  return state !== 'Z' && (began === '' || present === '' || present === began);
}

function beganOf(pid: number): string {
  return statOf(pid).began;
}

function statOf(pid: number): { state: string; began: string } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', began: fields[19] ?? '' };
  } catch {
    return { state: '', began: '' };
  }
}
