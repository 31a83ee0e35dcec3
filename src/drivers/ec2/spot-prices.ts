import { DescribeSpotPriceHistoryCommand, type SpotPrice } from '@aws-sdk/client-ec2';
import type { Clock } from '../../domain/clock.js';
import type { PricePoint } from '../../domain/instance.js';
import type { Ec2Api } from './api.js';
import { normalizePriceHistory } from './price-history.js';

/** One market: prices differ by type and zone. */
export interface Market {
  type: string;
  zone: string;
}

interface History extends Market {
  points: readonly PricePoint[];
  askedAt: number;
}

/** Markets nobody asked for in so many intervals are forgotten (EC-54). */
const forgottenAfter = 64;

/** What spot instances cost by market, asked for again each `intervalMs`; 0: never (EC-50..EC-56). */
export class SpotPrices {
  readonly #api: Ec2Api;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #histories = new Map<string, History>();
  readonly #abort = new AbortController();
  #isAsking = false;

  constructor(api: Ec2Api, clock: Clock, intervalMs: number) {
    this.#api = api;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Newest first; empty while unknown. */
  of(market: Market): readonly PricePoint[] {
    return this.#histories.get(keyOf(market))?.points ?? [];
  }

  /**
   * Asks for the prices of these markets when one of them is due, one request at a time. Resolves once asked, or at
   * once; rejects with `DriverError`, with what was read kept.
   */
  async refresh(markets: readonly Market[]): Promise<void> {
    const dueBefore = this.#clock.now() - this.#intervalMs;
    const isDue = (market: Market): boolean =>
      (this.#histories.get(keyOf(market))?.askedAt ?? -1) < dueBefore;
    if (this.#intervalMs <= 0 || this.#isAsking || !markets.some(isDue)) return;
    this.#isAsking = true;
    try {
      await this.#ask(markets);
    } finally {
      this.#isAsking = false;
    }
  }

  stop(): void {
    this.#abort.abort();
  }

  async #ask(markets: readonly Market[]): Promise<void> {
    const now = this.#clock.now();
    const read = new Map<string, PricePoint[]>();
    try {
      await this.#read([...new Set(markets.map(({ type }) => type))], read);
    } finally {
      // Also those without an answer: they are not due again before the others (DW-11).
      for (const market of markets) this.#keep(market, read.get(keyOf(market)) ?? [], now);
      for (const [key, { askedAt }] of this.#histories) {
        if (askedAt < now - forgottenAfter * this.#intervalMs) this.#histories.delete(key);
      }
    }
  }

  #keep(market: Market, fresh: readonly PricePoint[], askedAt: number): void {
    const points = normalizePriceHistory([...this.of(market), ...fresh]);
    const oldest = askedAt - forgottenAfter * this.#intervalMs;
    // The last point before that time tells the price at that time.
    const beyond = points.findIndex(({ startAt }) => startAt < oldest);
    const kept = beyond === -1 ? points : points.slice(0, beyond + 1);
    this.#histories.set(keyOf(market), { ...market, points: kept, askedAt });
  }

  /** Fills `read`; what arrived before an error stays in it. */
  async #read(types: string[], read: Map<string, PricePoint[]>): Promise<void> {
    const now = this.#clock.now();
    for (let NextToken: string | undefined; ;) {
      const command = new DescribeSpotPriceHistoryCommand({
        StartTime: new Date(now - 3 * this.#intervalMs),
        InstanceTypes: types as [],
        ProductDescriptions: ['Linux/UNIX'],
        ...(NextToken ? { NextToken } : {}),
      });
      const reply = await this.#api.send(
        { what: 'ask for spot prices', kind: 'read', signal: this.#abort.signal },
        (client, abortSignal) => client.send(command, { abortSignal }),
      );
      for (const record of reply.SpotPriceHistory ?? []) {
        const point = pointOf(record);
        if (!point) continue;
        const key = keyOf({ type: record.InstanceType!, zone: record.AvailabilityZone ?? '' });
        read.set(key, [...(read.get(key) ?? []), point]);
      }
      if (!reply.NextToken || reply.NextToken === NextToken) return;
      NextToken = reply.NextToken;
    }
  }
}

/** `undefined` for a record that lacks something or whose price is no number (EC-53). */
function pointOf({ InstanceType, SpotPrice, Timestamp }: SpotPrice): PricePoint | undefined {
  const price = Number(SpotPrice);
  const startAt = Timestamp?.getTime() ?? NaN;
  if (!InstanceType || !SpotPrice || !Number.isFinite(price) || Number.isNaN(startAt)) return undefined;
  return { startAt, price };
}

function keyOf({ type, zone }: Market): string {
  return `${type} ${zone}`;
}
