import type { Clock } from '../domain/clock.js';
import type { BootOutcome } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { CloudFailure } from '../machines/cloud-effects.js';
import type { RoomAtQuota } from '../policy/plan.js';
import { BootGuard, bootKey } from './boot-guard.js';
import { CreateFailures, failingKey } from './create-failures.js';
import { HoldOffs, type HoldOffView } from './hold-offs.js';
import { QuotaBound } from './quota-bound.js';

export interface CreateLimitsOptions {
  clock: Clock;
  quotaGroup(type: InstanceType): string;
  /** Where instances of the type can be made, the preferred place first; empty: the provider chooses. */
  zones(type: InstanceType): readonly string[];
  maxInstances: number;
  maxConcurrentCreates: number;
  quotaHoldOffMs: number;
  /** After this long at "until fewer instances" one trial create is allowed. */
  quotaRetryMs: number;
  capacityHoldOffMs: number;
  trialTimeoutMs: number;
  /** So many failed boots in a row stop creations; 0: never. */
  bootFailureLimit: number;
  bootFailureHoldOffMs: number;
  /** Longer than a boot may take. */
  bootTrialTimeoutMs: number;
  /** A hold-off ended. */
  onOpened(): void;
  /** Default: a new one. */
  quotaBound?: QuotaBound | undefined;
}

/** Up to this the holds of quota and capacity double with each refused trial. */
const longestHoldMs = 1_800_000;

/** How many instances count against the quota. */
export interface InstanceCounts {
  workers: number;
  /** Create calls whose instance is not among the workers yet. */
  pending: number;
  /** All create calls that have not returned. */
  inFlight: number;
}

/** What was asked for, where, and by which call. */
export interface CreateWish {
  launchId: string;
  instanceType: InstanceType;
  /** Not given or `''`: the provider chooses. */
  zone?: string;
}

/** What keeps the pool from asking for instances: quota, lack of capacity, the provider's pace, failed boots (L-11..L-20). */
export class CreateLimits {
  readonly #options: CreateLimitsOptions;
  readonly #holdOffs: HoldOffs;
  readonly #boots: BootGuard;
  readonly #failures: CreateFailures;
  readonly #bound: QuotaBound;
  /** Until then no instance is given up for another at quota, as the last one was given up in vain. */
  #roomHeldUntil = 0;

  constructor(options: CreateLimitsOptions) {
    this.#options = options;
    this.#holdOffs = new HoldOffs(options);
    this.#boots = new BootGuard({
      holdOffs: this.#holdOffs,
      limit: options.bootFailureLimit,
      holdMs: options.bootFailureHoldOffMs,
      trialTimeoutMs: options.bootTrialTimeoutMs,
    });
    this.#bound = options.quotaBound ?? new QuotaBound();
    this.#failures = new CreateFailures(this.#holdOffs, options.trialTimeoutMs);
  }

  atQuota(counts: InstanceCounts): boolean {
    const { maxInstances } = this.#options;
    const isFull = maxInstances > 0 && counts.workers + counts.pending >= maxInstances;
    return isFull || this.#holdOffs.isBlocked('quota');
  }

  /**
   * What may be given up at quota for an instance of another type. Nothing while a trial is under way, and for a while
   * after one that the provider refused: then there is less room than it seems.
   */
  roomAtQuota(): RoomAtQuota {
    const state = this.#holdOffs.stateOf('quota');
    if (state === 'trying' || this.#options.clock.now() < this.#roomHeldUntil) return 'held';
    return state === 'held' ? 'vcpus' : 'one';
  }

  /** Why no instance may be made at quota, and until when at the latest; `undefined`: not at quota. */
  quotaHold(counts: InstanceCounts): { because: string; until: number | undefined } | undefined {
    if (this.#holdOffs.isBlocked('quota')) {
      return { because: this.#holdOffs.becauseOf('quota'), until: this.#holdOffs.untilOf('quota') };
    }
    if (!this.atQuota(counts)) return undefined;
    return { because: `pool.maxInstances (${this.#options.maxInstances}) is reached`, until: undefined };
  }

  /** The breaker for which the type cannot be had, and when it is tried again. */
  capacityHold(type: InstanceType): { key: string; until: number | undefined } | undefined {
    const { zones } = this.#options;
    const ofAll = [bootKey(type), failingKey(type), 'capacity: all', this.#groupKey(type)];
    const places = zones(type).length === 0 ? [''] : zones(type);
    const ofPlaces = places.flatMap((zone) => [typeKey(type, zone), zoneKey(zone)]);
    const keys = [ofAll, ofPlaces]
      .map((each) => each.filter((key) => this.#holdOffs.isBlocked(key)))
      .find(({ length }) => length > 0);
    const [first] = (keys ?? [])
      .map((key) => ({ key, until: this.#holdOffs.untilOf(key) }))
      .sort((a, b) => (a.until ?? 0) - (b.until ?? 0));
    return first;
  }

  /** True also when instances of the type do not boot, or cannot be asked for: others may. */
  atCapacity(type: InstanceType): boolean {
    if (this.#boots.blocks(type) || this.#failures.blocks(type)) return true;
    if (this.#isBlocked(['capacity: all', this.#groupKey(type)])) return true;
    return this.zoneFor(type) === undefined;
  }

  /** Whether the type can be had again is for one more create call to show. */
  isOnTrial(type: InstanceType): boolean {
    if (this.#boots.isOnTrial(type) || this.#failures.isOnTrial(type)) return true;
    return this.#createKeys({ instanceType: type, zone: this.zoneFor(type) }).some(
      (key) => key.startsWith('capacity') && this.#holdOffs.isHalfOpen(key),
    );
  }

  /** The first place that is not known to lack the type; `''`: the provider chooses. `undefined`: all lack it. */
  zoneFor(type: InstanceType): string | undefined {
    const zones = this.#options.zones(type);
    const isFree = (zone: string): boolean => !this.#isBlocked([typeKey(type, zone), zoneKey(zone)]);
    return (zones.length === 0 ? [''] : zones).find(isFree);
  }

  createHeldUntil(): number | undefined {
    if (!this.#holdOffs.isBlocked('create pace')) return undefined;
    return this.#holdOffs.untilOf('create pace') ?? this.#options.clock.now();
  }

  /** Protected mode: why nothing is asked for after too many failed boots, and until when. */
  protection(): { because: string; until: number | undefined } | undefined {
    return this.#boots.protection();
  }

  /** How long the provider does not want to be asked for a list, ms. */
  listHoldMs(): number {
    if (!this.#holdOffs.isBlocked('list pace')) return 0;
    return Math.max(1, (this.#holdOffs.untilOf('list pace') ?? 0) - this.#options.clock.now());
  }

  /** How many more create calls would be accepted now, quota, pace and protected mode considered. */
  creatable(counts: InstanceCounts): number {
    const { maxInstances, maxConcurrentCreates } = this.#options;
    if (this.atQuota(counts) || this.#holdOffs.isBlocked('create pace') || this.protection()) return 0;
    const isTrial =
      this.#boots.isTrial() || ['quota', 'create pace'].some((key) => this.#holdOffs.isHalfOpen(key));
    return Math.max(
      0,
      Math.min(
        isTrial ? 1 : Infinity,
        maxInstances > 0 ? maxInstances - counts.workers - counts.pending : Infinity,
        maxConcurrentCreates > 0 ? maxConcurrentCreates - counts.inFlight : Infinity,
      ),
    );
  }

  /** A create call is about to be made. */
  tried(wish: CreateWish): void {
    for (const key of this.#createKeys(wish)) this.#holdOffs.tell(key, 'tried', wish.launchId);
    this.#boots.tried(wish);
    this.#failures.tried(wish);
  }

  succeeded(wish: CreateWish): void {
    for (const key of this.#createKeys(wish)) this.#holdOffs.tell(key, 'succeeded', wish.launchId);
    const isClosed = this.#holdOffs.stateOf('quota') === 'open';
    if (isClosed) this.#roomHeldUntil = 0;
    this.#bound.accepted(isClosed);
    this.#failures.succeeded(wish);
  }

  /** A create call failed; `counts` without that call (L-12, L-15, L-19). What it says nothing of stays undecided. */
  createRefused(wish: CreateWish, error: CloudFailure, counts: InstanceCounts): void {
    const { trialTimeoutMs } = this.#options;
    const call = wish.launchId;
    const refused = this.#refusedKeys(wish, error, counts);
    for (const key of this.#createKeys(wish)) {
      if (refused.has(key)) continue;
      const isAccepted = key === 'create pace' && !unanswered.has(error.code);
      this.#holdOffs.tell(key, isAccepted ? 'succeeded' : 'abandoned', call);
    }
    const before = this.#holdOffs.refusedTrialsOf('quota');
    for (const [key, { forMs, longestMs }] of refused) {
      this.#holdOffs.refuse(key, { call, forMs, longestMs, because: error.message, trialTimeoutMs });
    }
    this.#noteVainRoom(before);
    this.#boots.refused(wish);
    this.#failures.refused(wish, error);
  }

  /** An instance that was asked for by this call came into service, or did not. */
  bootDecided(wish: CreateWish, outcome: BootOutcome): void {
    this.#boots.decided(wish, outcome);
  }

  listRefused(error: CloudFailure): void {
    if (error.code !== 'rate-limited') return;
    const { clock, trialTimeoutMs } = this.#options;
    const forMs = (error.retryAt ?? 0) - clock.now();
    this.#holdOffs.refuse('list pace', { forMs, because: error.message, trialTimeoutMs });
  }

  /** The list is known anew: with fewer instances than at the last quota error one call may ask again (L-14). */
  synced(counts: InstanceCounts): void {
    if (this.#holdOffs.isHalfOpen('list pace')) this.#holdOffs.reset('list pace');
    if (!this.#bound.isMetBy(counts.workers + counts.pending)) return;
    this.#bound.clear();
    this.#holdOffs.ease('quota');
  }

  /** An operator's word. False: no such hold-off. */
  reset(key: string): boolean {
    if (key === 'quota') {
      this.#bound.clear();
      this.#roomHeldUntil = 0;
    }
    this.#boots.forget(key);
    this.#failures.forget(key);
    return this.#holdOffs.reset(key);
  }

  views(): HoldOffView[] {
    return this.#holdOffs.views();
  }

  stop(): void {
    this.#holdOffs.stop();
  }

  /** What the error holds, and for how long (L-12, L-13, L-15, L-19). */
  #refusedKeys(
    wish: CreateWish,
    error: CloudFailure,
    { workers, pending }: InstanceCounts,
  ): Map<string, { forMs: number; longestMs: number }> {
    const { clock, quotaHoldOffMs, quotaRetryMs, capacityHoldOffMs } = this.#options;
    switch (error.code) {
      case 'rate-limited':
        return new Map([['create pace', { forMs: (error.retryAt ?? 0) - clock.now(), longestMs: 0 }]]);
      case 'capacity': {
        const hold = { forMs: capacityHoldOffMs, longestMs: longestHoldMs };
        return new Map([[this.#capacityKey(wish, error.scope), hold]]);
      }
      case 'quota': {
        const forMs = this.#bound.refused(workers + pending) ? quotaRetryMs : quotaHoldOffMs;
        return new Map([['quota', { forMs, longestMs: longestHoldMs }]]);
      }
      default:
        return new Map();
    }
  }

  #noteVainRoom(refusedBefore: number): void {
    const { clock, quotaHoldOffMs } = this.#options;
    const refused = this.#holdOffs.refusedTrialsOf('quota');
    if (refused <= refusedBefore) return;
    const forMs = Math.max(quotaHoldOffMs, Math.min(longestHoldMs, quotaHoldOffMs * 2 ** (refused - 1)));
    this.#roomHeldUntil = clock.now() + forMs;
  }

  #isBlocked(keys: readonly string[]): boolean {
    return keys.some((key) => this.#holdOffs.isBlocked(key));
  }

  #groupKey(type: InstanceType): string {
    return `capacity: group ${this.#options.quotaGroup(type)}`;
  }

  #capacityKey(
    { instanceType, zone = '' }: Pick<CreateWish, 'instanceType' | 'zone'>,
    scope: CloudFailure['scope'] = 'all',
  ): string {
    if (scope === 'all' || (scope === 'zone' && zone === '')) return 'capacity: all';
    if (scope === 'zone') return zoneKey(zone);
    return scope === 'group' ? this.#groupKey(instanceType) : typeKey(instanceType, zone);
  }

  #createKeys(wish: Pick<CreateWish, 'instanceType' | 'zone'>): string[] {
    const scopes = ['all', 'group', 'zone', 'type'] as const;
    return ['quota', 'create pace', ...new Set(scopes.map((scope) => this.#capacityKey(wish, scope)))];
  }
}

/** Failures of calls that the provider may never have seen. */
const unanswered: ReadonlySet<string> = new Set(['unavailable', 'aborted', 'rate-limited']);

function typeKey({ providerType, preemptible }: InstanceType, zone: string): string {
  return `capacity: type ${providerType}${preemptible ? '-preemptible' : ''}${zone === '' ? '' : ` in ${zone}`}`;
}

function zoneKey(zone: string): string {
  return `capacity: zone ${zone}`;
}
