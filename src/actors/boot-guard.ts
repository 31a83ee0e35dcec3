import type { BootOutcome } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { CreateWish } from './create-limits.js';
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

/**
 * Notices that instances do not come into service, so that a broken image, network or init command cannot go on
 * burning money: after too many failed boots in a row nothing is asked for, then one instance at a time is tried. One
 * breaker for each instance type, and one for the fleet. Every good boot closes both, also one begun before: what came
 * into service now shows that instances do, and takes no place from another.
 */
export class BootGuard {
  readonly #options: BootGuardOptions;
  /** Failed boots in a row. */
  readonly #failures = new Map<string, number>();

  constructor(options: BootGuardOptions) {
    this.#options = options;
  }

  /** True while instances of this type do not boot, though others may. */
  blocks(type: InstanceType): boolean {
    return this.#options.holdOffs.isBlocked(bootKey(type));
  }

  /** Protected mode: why nothing at all is asked for, and until when. */
  protection(): { because: string; until: number | undefined } | undefined {
    const { holdOffs } = this.#options;
    if (!holdOffs.isBlocked(allBoots)) return undefined;
    return { because: holdOffs.becauseOf(allBoots), until: holdOffs.untilOf(allBoots) };
  }

  /** The type did not boot some time ago, and one more boot may show whether it does now. */
  isOnTrial(type: InstanceType): boolean {
    return this.#options.holdOffs.isHalfOpen(bootKey(type));
  }

  /** Protected mode is over if one more boot succeeds: only that one may be begun. */
  isTrial(): boolean {
    return this.#options.holdOffs.isHalfOpen(allBoots);
  }

  /** An instance of this type is about to be asked for. */
  tried(call: CreateWish): void {
    for (const key of keysOf(call)) this.#options.holdOffs.tell(key, 'tried', call.launchId);
  }

  /** The provider refused the instance, so that nothing is known of its boot. */
  refused(call: CreateWish): void {
    for (const key of keysOf(call)) this.#options.holdOffs.tell(key, 'abandoned', call.launchId);
  }

  /** A boot that was asked for ended; one that was called off says nothing. */
  decided(call: CreateWish, outcome: BootOutcome): void {
    const { name } = call.instanceType;
    for (const key of keysOf(call)) {
      if (outcome === 'aborted') this.#options.holdOffs.tell(key, 'abandoned', call.launchId);
      else if (outcome === 'success') this.#succeeded(key);
      else this.#failed(key, call.launchId, key === allBoots ? 'instances' : `instances of type ${name}`);
    }
  }

  /** An operator's word, given to the hold-off: the count begins anew. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  #succeeded(key: string): void {
    this.#failures.delete(key);
    this.#options.holdOffs.reset(key);
  }

  #failed(key: string, call: string, what: string): void {
    const { holdOffs, limit, holdMs, trialTimeoutMs } = this.#options;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    if (limit === 0 || (failures < limit && holdOffs.stateOf(key) === 'open')) return;
    const because = `${failures} ${what} in a row did not come into service: see what "explain" says of the last one`;
    holdOffs.refuse(key, { call, forMs: holdMs, longestMs: longestHoldMs, because, trialTimeoutMs });
  }
}

function keysOf({ instanceType }: CreateWish): string[] {
  return [allBoots, bootKey(instanceType)];
}

/** The breaker of the boots of a type. */
export function bootKey(type: InstanceType): string {
  return `boot: type ${type.name}`;
}
