import { readFileSync } from 'node:fs';

const assumed = 1_024;

/** How many descriptors this process may have open; where the system does not say, a low number that all give. */
export function descriptorLimit(): number {
  try {
    const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return line === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(line ?? assumed);
  } catch {
    return assumed;
  }
}
