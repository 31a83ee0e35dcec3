import type { Clock } from '../../domain/clock.js';
import type { PricePoint } from '../../domain/instance.js';
import type { InstanceType } from '../../domain/instance-type.js';

const mostPoints = 24;

/** Spot prices that wander between a third and all of the price of their type, one market for each provider type. */
export class SpotPrices {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #markets = new Map<string, PricePoint[]>();

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Newest first. */
  of({ providerType, price }: InstanceType, intervalMs: number): readonly PricePoint[] {
    const now = this.#clock.now();
    let points = this.#markets.get(providerType) ?? [this.#draw(now, price)];
    const firstNeeded = now - mostPoints * intervalMs;
    for (let nextAt = points[0]!.startAt + intervalMs; nextAt <= now; nextAt += intervalMs) {
      if (nextAt >= firstNeeded) points = [this.#draw(nextAt, price), ...points];
    }
    points = points.slice(0, mostPoints);
    this.#markets.set(providerType, points);
    return points;
  }

  #draw(startAt: number, price: number): PricePoint {
    return { startAt, price: Number((price * (1 / 3 + (2 / 3) * this.#random())).toFixed(6)) };
  }
}
