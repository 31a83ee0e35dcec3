import { readFileSync } from 'node:fs';

const assumed = 1_024;

/** Returns the limit of open file descriptors of this process; a low number where the system does not report it. */
export function descriptorLimit(): number {
  try {
    const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return line === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(line ?? assumed);
  } catch {
    return assumed;
  }
}
