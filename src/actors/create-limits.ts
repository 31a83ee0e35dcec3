import type { Clock } from '../domain/clock.js';
import type { BootOutcome } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { CloudFailure } from '../machines/cloud-effects.js';
import { BootGuard } from './boot-guard.js';
import { CreateFailures } from './create-failures.js';
import { HoldOffs, type HoldOffView } from './hold-offs.js';

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
}

/** How many instances count against the quota. */
export interface InstanceCounts {
  workers: number;
  /** Create calls whose instance is not among the workers yet. */
  pending: number;
  /** All create calls that have not returned. */
  inFlight: number;
}

/** What was asked for, and where. */
export interface CreateWish {
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
  /** At quota until there are fewer instances than this; 0: no such limit (L-12). */
  #untilFewer = 0;

  constructor(options: CreateLimitsOptions) {
    this.#options = options;
    this.#holdOffs = new HoldOffs(options);
    this.#boots = new BootGuard({
      holdOffs: this.#holdOffs,
      limit: options.bootFailureLimit,
      holdMs: options.bootFailureHoldOffMs,
      trialTimeoutMs: options.bootTrialTimeoutMs,
    });
    this.#failures = new CreateFailures(this.#holdOffs, options.trialTimeoutMs);
  }

  atQuota(counts: InstanceCounts): boolean {
    const { maxInstances } = this.#options;
    const isFull = maxInstances > 0 && counts.workers + counts.pending >= maxInstances;
    return isFull || this.#holdOffs.isBlocked('quota');
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
    for (const key of this.#createKeys(wish)) this.#holdOffs.tell(key, 'tried');
    this.#boots.tried(wish.instanceType);
    this.#failures.tried(wish.instanceType);
  }

  succeeded(wish: CreateWish): void {
    this.#untilFewer = 0;
    for (const key of this.#createKeys(wish)) this.#holdOffs.tell(key, 'succeeded');
    this.#failures.succeeded(wish.instanceType);
  }

  /** A create call failed; `counts` without that call (L-12, L-15, L-19). */
  createRefused(wish: CreateWish, error: CloudFailure, counts: InstanceCounts): void {
    const { clock, quotaHoldOffMs, quotaRetryMs, capacityHoldOffMs, trialTimeoutMs } = this.#options;
    const refused = new Map<string, number>();
    if (error.code === 'rate-limited') refused.set('create pace', (error.retryAt ?? 0) - clock.now());
    if (error.code === 'capacity') refused.set(this.#capacityKey(wish, error.scope), capacityHoldOffMs);
    if (error.code === 'quota') refused.set('quota', this.#noteQuota(counts) ? quotaRetryMs : quotaHoldOffMs);
    for (const key of this.#createKeys(wish)) {
      if (!refused.has(key)) this.#holdOffs.tell(key, 'succeeded');
    }
    for (const [key, forMs] of refused) {
      this.#holdOffs.refuse(key, { forMs, because: error.message, trialTimeoutMs });
    }
    this.#boots.refused(wish.instanceType);
    this.#failures.refused(wish.instanceType, error);
  }

  /** An instance that was asked for came into service, or did not. */
  bootDecided(type: InstanceType, outcome: BootOutcome): void {
    this.#boots.decided(type, outcome);
  }

  listRefused(error: CloudFailure): void {
    if (error.code !== 'rate-limited') return;
    const { clock, trialTimeoutMs } = this.#options;
    const forMs = (error.retryAt ?? 0) - clock.now();
    this.#holdOffs.refuse('list pace', { forMs, because: error.message, trialTimeoutMs });
  }

  /** The list is known anew: fewer instances than at the last quota error end the wait (L-14). */
  synced(counts: InstanceCounts): void {
    if (this.#untilFewer > counts.workers + counts.pending) this.reset('quota');
  }

  /** An operator's word. False: no such hold-off. */
  reset(key: string): boolean {
    if (key === 'quota') this.#untilFewer = 0;
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

  /** True when freeing instances may help, so that the wait is for fewer of them (L-12, L-13). */
  #noteQuota(counts: InstanceCounts): boolean {
    const present = counts.workers + counts.pending;
    if (present < 1) {
      this.#untilFewer = 0;
      return false;
    }
    this.#untilFewer = this.#untilFewer === 0 ? present : Math.min(this.#untilFewer, present);
    return true;
  }

  #isBlocked(keys: readonly string[]): boolean {
    return keys.some((key) => this.#holdOffs.isBlocked(key));
  }

  #groupKey(type: InstanceType): string {
    return `capacity: group ${this.#options.quotaGroup(type)}`;
  }

  #capacityKey({ instanceType, zone = '' }: CreateWish, scope: CloudFailure['scope'] = 'all'): string {
    if (scope === 'all' || (scope === 'zone' && zone === '')) return 'capacity: all';
    if (scope === 'zone') return zoneKey(zone);
    return scope === 'group' ? this.#groupKey(instanceType) : typeKey(instanceType, zone);
  }

  #createKeys(wish: CreateWish): string[] {
    const scopes = ['all', 'group', 'zone', 'type'] as const;
    return ['quota', 'create pace', ...new Set(scopes.map((scope) => this.#capacityKey(wish, scope)))];
  }
}

function typeKey({ providerType, preemptible }: InstanceType, zone: string): string {
  return `capacity: type ${providerType}${preemptible ? '-preemptible' : ''}${zone === '' ? '' : ` in ${zone}`}`;
}

function zoneKey(zone: string): string {
  return `capacity: zone ${zone}`;
}
