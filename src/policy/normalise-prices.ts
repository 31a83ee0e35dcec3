import type { PricePoint } from '../domain/instance.js';

/** Newest first; of a run of equal prices only the oldest point stays (DI-14, N-9). The input is left as it is. */
export function normalisePrices(points: readonly PricePoint[]): PricePoint[] {
  const sorted = [...points].sort((a, b) => b.startAt - a.startAt);
  return sorted.filter((point, index) => {
    const older = sorted[index + 1];
    return !older || (older.startAt !== point.startAt && older.price !== point.price);
  });
}
