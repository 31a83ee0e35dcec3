import type { BootOutcome } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { HoldOffs } from './hold-offs.js';

export interface BootGuardOptions {
  holdOffs: HoldOffs;
  /** So many failed boots in a row, without a good one between, are too many; 0: any number is fine. */
  limit: number;
  /** The first pause; each further one in a row is twice as long, up to a day. */
  holdMs: number;
  /** Longer than a boot may take. */
  trialTimeoutMs: number;
}

/** The breaker of the whole fleet: protected mode. */
const allBoots = 'boot: all';
const longestHoldMs = 86_400_000;

interface Series {
  failures: number;
  trips: number;
}

/**
 * Notices that instances do not come into service, so that a broken image, network or init command cannot go on
 * burning money: after too many failed boots in a row nothing is asked for, then one instance at a time is tried. One
 * breaker for each instance type, and one for the fleet that every good boot closes.
 */
export class BootGuard {
  readonly #options: BootGuardOptions;
  readonly #series = new Map<string, Series>();

  constructor(options: BootGuardOptions) {
    this.#options = options;
  }

  /** True while instances of this type do not boot, though others may. */
  blocks(type: InstanceType): boolean {
    return this.#options.holdOffs.isBlocked(keyOf(type));
  }

  /** Protected mode: why nothing at all is asked for, and until when. */
  protection(): { because: string; until: number | undefined } | undefined {
    const { holdOffs } = this.#options;
    if (!holdOffs.isBlocked(allBoots)) return undefined;
    return { because: holdOffs.becauseOf(allBoots), until: holdOffs.untilOf(allBoots) };
  }

  /** The type did not boot some time ago, and one more boot may show whether it does now. */
  isOnTrial(type: InstanceType): boolean {
    return this.#options.holdOffs.isHalfOpen(keyOf(type));
  }

  /** Protected mode is over if one more boot succeeds: only that one may be begun. */
  isTrial(): boolean {
    return this.#options.holdOffs.isHalfOpen(allBoots);
  }

  /** An instance of this type is about to be asked for. */
  tried(type: InstanceType): void {
    for (const key of [allBoots, keyOf(type)]) this.#options.holdOffs.tell(key, 'tried');
  }

  /** The provider refused the instance, so that nothing is known of its boot. */
  refused(type: InstanceType): void {
    for (const key of [allBoots, keyOf(type)]) this.#options.holdOffs.tell(key, 'abandoned');
  }

  /** A boot that was asked for ended; one that was called off says nothing. */
  decided(type: InstanceType, outcome: BootOutcome): void {
    for (const key of [allBoots, keyOf(type)]) {
      if (outcome === 'aborted') this.#options.holdOffs.tell(key, 'abandoned');
      else if (outcome === 'success') this.#succeeded(key);
      else this.#failed(key, key === allBoots ? 'instances' : `instances of type ${type.name}`);
    }
  }

  /** An operator's word, given to the hold-off: the count begins anew. */
  forget(key: string): void {
    this.#series.delete(key);
  }

  #succeeded(key: string): void {
    this.#series.delete(key);
    this.#options.holdOffs.reset(key);
  }

  #failed(key: string, what: string): void {
    const { holdOffs, limit, holdMs, trialTimeoutMs } = this.#options;
    const series = this.#series.get(key) ?? { failures: 0, trips: 0 };
    this.#series.set(key, series);
    series.failures++;
    if (limit === 0 || series.failures < limit) return;
    // Those that were under way when it tripped add nothing to the pause.
    if (holdOffs.stateOf(key) !== 'held') series.trips++;
    const forMs = Math.min(longestHoldMs, holdMs * 2 ** (series.trips - 1));
    const because = `${series.failures} ${what} in a row did not come into service: see what "explain" says of the last one`;
    holdOffs.refuse(key, { forMs, because, trialTimeoutMs });
  }
}

function keyOf(type: InstanceType): string {
  return `boot: type ${type.name}`;
}
