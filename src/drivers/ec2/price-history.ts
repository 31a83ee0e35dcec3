import type { PricePoint } from '../../domain/instance.js';

/**
 * Newest first, one point for each run of equal prices: its oldest (DI-14). Of two points of one time the first given
 * goes.
 */
export function normalizePriceHistory(points: readonly PricePoint[]): PricePoint[] {
  const sorted = [...points].sort((a, b) => b.startAt - a.startAt);
  const kept: PricePoint[] = [];
  for (let index = 0; index < sorted.length; index++) {
    const [point, older] = [sorted[index]!, sorted[index + 1]];
    if (older && (older.startAt === point.startAt || older.price === point.price)) continue;
    kept.push(point);
  }
  return kept;
}
