import type { PricePoint } from '../domain/instance.js';

/** Newest first; of a run of equal prices only the oldest point stays (DI-14, N-9). The input is left as it is. */
export function normalisePrices(points: readonly PricePoint[]): PricePoint[] {
  const kept: PricePoint[] = [];
  // Of equal times the one that came later in the input counts as the older, as a stable sort by descending time has it.
  for (const point of [...points].sort((a, b) => b.startAt - a.startAt).reverse()) {
    const older = kept.at(-1);
    if (older?.startAt !== point.startAt && older?.price !== point.price) kept.push(point);
  }
  return kept.reverse();
}
