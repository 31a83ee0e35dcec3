import type { Clock } from '../../domain/clock.js';
import type { Tags } from '../../domain/instance.js';
import type { ListedInstance } from './listed-instance.js';
import type { Market } from './spot-prices.js';

interface Known {
  /** `undefined` for one that is paid by the list. */
  market: Market | undefined;
  /** All that may be on it: too many do no harm. */
  keys: ReadonlySet<string>;
  changedAt: number;
}

/** Lists may be so much older than what was written. */
const listLagMs = 60_000;

/** What the driver remembers of instances from one list to the next: which tags they may have, and their market. */
export class KnownInstances {
  readonly #clock: Clock;
  #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What a list told that began at `startedAt`; `isAll`: what is not in it is gone. The ids of those that went. */
  listed(instances: readonly ListedInstance[], startedAt: number, isAll: boolean): string[] {
    const recent = (known: Known): boolean => known.changedAt > startedAt - listLagMs;
    const next = isAll ? new Map([...this.#known].filter(([, known]) => recent(known))) : this.#known;
    for (const { id, tags, type, zone, isSpot } of instances) {
      const known = this.#known.get(id);
      const written = known && recent(known) ? known : undefined;
      next.set(id, {
        market: isSpot ? { type, zone } : undefined,
        keys: new Set([...Object.keys(tags), ...(written?.keys ?? [])]),
        changedAt: written?.changedAt ?? 0,
      });
    }
    const gone = [...this.#known.keys()].filter((id) => !next.has(id));
    this.#known = next;
    return gone;
  }

  /** The instance has these tags now. */
  tagged(id: string, tags: Tags): void {
    const keys = new Set([...(this.#known.get(id)?.keys ?? []), ...Object.keys(tags)]);
    this.#known.set(id, { market: this.marketOf(id), keys, changedAt: this.#clock.now() });
  }

  /** `undefined` for an instance nobody heard of. */
  tagKeysOf(id: string): ReadonlySet<string> | undefined {
    return this.#known.get(id)?.keys;
  }

  marketOf(id: string): Market | undefined {
    return this.#known.get(id)?.market;
  }
}
