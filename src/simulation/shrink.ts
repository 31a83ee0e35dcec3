import type { Fault } from './faults.js';

/**
 * The fewest of the faults with which it still fails, by halving and by leaving out single ones (delta debugging).
 * `fails` is asked at most `mostTries` times; what is known by then is returned.
 */
export async function shrinkFaults(
  faults: readonly Fault[],
  fails: (faults: readonly Fault[]) => Promise<boolean>,
  mostTries: number,
): Promise<readonly Fault[]> {
  let kept = faults;
  let parts = 2;
  let tries = 0;
  const stillFails = async (some: readonly Fault[]): Promise<boolean> => tries++ < mostTries && fails(some);
  if (await stillFails([])) return [];
  while (kept.length > 1 && tries < mostTries) {
    const size = Math.ceil(kept.length / parts);
    let smaller: readonly Fault[] | undefined;
    for (let from = 0; from < kept.length && !smaller; from += size) {
      const without = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (await stillFails(without)) smaller = without;
    }
    if (smaller) {
      kept = smaller;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) {
      return kept;
    } else {
      parts = Math.min(kept.length, parts * 2);
    }
  }
  return kept;
}
