import type { Clock } from '../domain/clock.js';
import type { BootOutcome } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { CloudFailure } from '../machines/cloud-effects.js';
import type { RoomAtQuota } from '../policy/plan.js';
import {
  allBoots,
  bootKey,
  bootKeys,
  capacityTypeKey,
  capacityZoneKey,
  createBreakerSettings,
  createPace,
  failingKey,
  listPace,
  longestProviderHoldMs,
  quota,
  typeOutcome,
  type CreateBreakerOptions,
  type CreateRequest,
} from './create-breakers.js';
import type { BreakerView } from '../domain/breaker-view.js';
import { CircuitBreakers } from './circuit-breakers.js';
import { QuotaBound } from './quota-bound.js';

export interface CreateLimitsOptions extends CreateBreakerOptions {
  clock: Clock;
  quotaGroup(type: InstanceType): string;
  /** Where instances of the type can be made, the preferred place first; empty: the provider chooses. */
  zones(type: InstanceType): readonly string[];
  maxInstances: number;
  maxConcurrentCreates: number;
  /** After this long at "until fewer instances" one trial create is allowed. */
  quotaRetryMs: number;
  /** Called when create calls may pass again at a breaker that was open. */
  onClosed(): void;
  /** Default: a new one. */
  quotaBound?: QuotaBound | undefined;
}

/** How many instances count against the quota. */
export interface InstanceCounts {
  workers: number;
  /** Create calls whose instance is not among the workers yet. */
  pending: number;
  /** All create calls that have not returned. */
  inFlight: number;
}

/** Decides whether and where instances may be created: quota, capacity, the provider's pace, failed boots (L-11..L-20). */
export class CreateLimits {
  readonly #options: CreateLimitsOptions;
  readonly #breakers: CircuitBreakers;
  readonly #bound: QuotaBound;
  /** Until then no instance is given up for another at quota, as the last one was given up in vain. */
  #roomHeldUntil = 0;

  constructor(options: CreateLimitsOptions) {
    this.#options = options;
    const { clock, onClosed } = options;
    this.#breakers = new CircuitBreakers({ clock, onClosed, settingsOf: createBreakerSettings(options) });
    this.#bound = options.quotaBound ?? new QuotaBound();
  }

  atQuota(counts: InstanceCounts): boolean {
    const { maxInstances } = this.#options;
    const isFull = maxInstances > 0 && counts.workers + counts.pending >= maxInstances;
    return isFull || this.#breakers.isBlocked(quota);
  }

  /**
   * What may be given up at quota for an instance of another type. Nothing while a trial is under way, and for a while
   * after one that the provider refused: then there is less room than it seems.
   */
  roomAtQuota(): RoomAtQuota {
    const state = this.#breakers.stateOf(quota);
    if (state === 'probing' || this.#options.clock.now() < this.#roomHeldUntil) return 'held';
    return state === 'open' ? 'vcpus' : 'one';
  }

  /** Why no instance may be made at quota, and until when at the latest; `undefined`: not at quota. */
  quotaHold(counts: InstanceCounts): { because: string; until: number | undefined } | undefined {
    if (this.#breakers.isBlocked(quota)) {
      return { because: this.#breakers.reasonOf(quota), until: this.#breakers.untilOf(quota) };
    }
    if (!this.atQuota(counts)) return undefined;
    return { because: `pool.maxInstances (${this.#options.maxInstances}) is reached`, until: undefined };
  }

  /** The breaker for which the type cannot be had, and when it is tried again. */
  capacityHold(type: InstanceType): { key: string; until: number | undefined } | undefined {
    const { zones } = this.#options;
    const ofAll = [bootKey(type), failingKey(type), 'capacity: all', this.#groupKey(type)];
    const places = zones(type).length === 0 ? [''] : zones(type);
    const ofPlaces = places.flatMap((zone) => [capacityTypeKey(type, zone), capacityZoneKey(zone)]);
    const keys = [ofAll, ofPlaces]
      .map((each) => each.filter((key) => this.#breakers.isBlocked(key)))
      .find(({ length }) => length > 0);
    const [first] = (keys ?? [])
      .map((key) => ({ key, until: this.#breakers.untilOf(key) }))
      .sort((a, b) => (a.until ?? 0) - (b.until ?? 0));
    return first;
  }

  /** True also when instances of the type do not boot, or cannot be asked for: others may. */
  atCapacity(type: InstanceType): boolean {
    const keys = [bootKey(type), failingKey(type), 'capacity: all', this.#groupKey(type)];
    if (this.#isBlocked(keys)) return true;
    return this.zoneFor(type) === undefined;
  }

  /** Whether the type can be had again is for one more create call to show. */
  isOnTrial(type: InstanceType): boolean {
    if ([bootKey(type), failingKey(type)].some((key) => this.#breakers.isHalfOpen(key))) return true;
    return this.#createKeys({ instanceType: type, zone: this.zoneFor(type) }).some(
      (key) => key.startsWith('capacity') && this.#breakers.isHalfOpen(key),
    );
  }

  /** The first place that is not known to lack the type; `''`: the provider chooses. `undefined`: all lack it. */
  zoneFor(type: InstanceType): string | undefined {
    const zones = this.#options.zones(type);
    const isFree = (zone: string): boolean =>
      !this.#isBlocked([capacityTypeKey(type, zone), capacityZoneKey(zone)]);
    return (zones.length === 0 ? [''] : zones).find(isFree);
  }

  createHeldUntil(): number | undefined {
    if (!this.#breakers.isBlocked(createPace)) return undefined;
    return this.#breakers.untilOf(createPace) ?? this.#options.clock.now();
  }

  /** Protected mode: why nothing is asked for after too many failed boots, and until when. */
  protection(): { because: string; until: number | undefined } | undefined {
    if (!this.#breakers.isBlocked(allBoots)) return undefined;
    return { because: this.#breakers.reasonOf(allBoots), until: this.#breakers.untilOf(allBoots) };
  }

  /** How long the provider does not want to be asked for a list, ms. */
  listHoldMs(): number {
    if (!this.#breakers.isBlocked(listPace)) return 0;
    return Math.max(1, (this.#breakers.untilOf(listPace) ?? 0) - this.#options.clock.now());
  }

  /** How many more create calls would be accepted now, quota, pace and protected mode considered. */
  creatable(counts: InstanceCounts): number {
    const { maxInstances, maxConcurrentCreates } = this.#options;
    if (this.atQuota(counts) || this.#breakers.isBlocked(createPace) || this.protection()) return 0;
    const isTrial = [allBoots, quota, createPace].some((key) => this.#breakers.isHalfOpen(key));
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
  tried(request: CreateRequest): void {
    const { instanceType, launchId } = request;
    const keys = [...this.#createKeys(request), ...bootKeys(instanceType), failingKey(instanceType)];
    for (const key of keys) this.#breakers.send(key, 'started', launchId);
  }

  succeeded(request: CreateRequest): void {
    const keys = [...this.#createKeys(request), failingKey(request.instanceType)];
    for (const key of keys) this.#breakers.send(key, 'succeeded', request.launchId);
    const isClosed = this.#breakers.stateOf(quota) === 'closed';
    if (isClosed) this.#roomHeldUntil = 0;
    this.#bound.accepted(isClosed);
  }

  /** A create call failed; `counts` without that call (L-12, L-15, L-19). What it says nothing of stays undecided. */
  createRefused(request: CreateRequest, error: CloudFailure, counts: InstanceCounts): void {
    const { launchId: call, instanceType } = request;
    const refused = this.#refusedKey(request, error, counts);
    for (const key of this.#createKeys(request)) {
      if (key === refused?.key) continue;
      const isAccepted = key === createPace && !unanswered.has(error.code);
      this.#breakers.send(key, isAccepted ? 'succeeded' : 'abandoned', call);
    }
    const before = this.#breakers.failedTrialsOf(quota);
    const { message } = error;
    if (refused) this.#breakers.failed(refused.key, { call, message, forMs: refused.forMs });
    this.#noteVainRoom(before);
    for (const key of bootKeys(instanceType)) this.#breakers.send(key, 'abandoned', call);
    const outcome = typeOutcome(error);
    const ofType = failingKey(instanceType);
    if (outcome === 'failed') this.#breakers.failed(ofType, { call, message });
    else this.#breakers.send(ofType, outcome ?? 'abandoned', call);
  }

  /**
   * The boot of the instance that this call created ended. A success closes its breakers whichever call is the trial,
   * as it shows that instances boot now; an aborted boot decides nothing.
   */
  bootDecided({ launchId: call, instanceType }: CreateRequest, outcome: BootOutcome): void {
    for (const key of bootKeys(instanceType)) {
      if (outcome === 'aborted') this.#breakers.send(key, 'abandoned', call);
      else if (outcome === 'success') this.#breakers.reset(key);
      else this.#breakers.failed(key, { call, message: '' });
    }
  }

  listRefused(error: CloudFailure): void {
    if (error.code !== 'rate-limited') return;
    const forMs = (error.retryAt ?? 0) - this.#options.clock.now();
    this.#breakers.failed(listPace, { message: error.message, forMs });
  }

  /** The list is known anew: with fewer instances than at the last quota error one call may ask again (L-14). */
  synced(counts: InstanceCounts): void {
    if (this.#breakers.isHalfOpen(listPace)) this.#breakers.reset(listPace);
    if (!this.#bound.isMetBy(counts.workers + counts.pending)) return;
    this.#bound.clear();
    this.#breakers.ease(quota);
  }

  /** Closes the breaker on behalf of an operator. Returns false for an unknown key. */
  reset(key: string): boolean {
    if (key === quota) {
      this.#bound.clear();
      this.#roomHeldUntil = 0;
    }
    return this.#breakers.reset(key);
  }

  views(): BreakerView[] {
    return this.#breakers.views();
  }

  stop(): void {
    this.#breakers.stop();
  }

  /** The breaker that the error opens, and for how long (L-12, L-13, L-15, L-19). */
  #refusedKey(
    request: CreateRequest,
    error: CloudFailure,
    { workers, pending }: InstanceCounts,
  ): { key: string; forMs?: number } | undefined {
    const { clock, quotaHoldOffMs, quotaRetryMs } = this.#options;
    switch (error.code) {
      case 'rate-limited':
        return { key: createPace, forMs: (error.retryAt ?? 0) - clock.now() };
      case 'capacity':
        return { key: this.#capacityKey(request, error.scope) };
      case 'quota':
        return { key: quota, forMs: this.#bound.refused(workers + pending) ? quotaRetryMs : quotaHoldOffMs };
      default:
        return undefined;
    }
  }

  #noteVainRoom(refusedBefore: number): void {
    const { clock, quotaHoldOffMs } = this.#options;
    const refused = this.#breakers.failedTrialsOf(quota);
    if (refused <= refusedBefore) return;
    const forMs = Math.max(
      quotaHoldOffMs,
      Math.min(longestProviderHoldMs, quotaHoldOffMs * 2 ** (refused - 1)),
    );
    this.#roomHeldUntil = clock.now() + forMs;
  }

  #isBlocked(keys: readonly string[]): boolean {
    return keys.some((key) => this.#breakers.isBlocked(key));
  }

  #groupKey(type: InstanceType): string {
    return `capacity: group ${this.#options.quotaGroup(type)}`;
  }

  #capacityKey(
    { instanceType, zone = '' }: Pick<CreateRequest, 'instanceType' | 'zone'>,
    scope: CloudFailure['scope'] = 'all',
  ): string {
    if (scope === 'all' || (scope === 'zone' && zone === '')) return 'capacity: all';
    if (scope === 'zone') return capacityZoneKey(zone);
    return scope === 'group' ? this.#groupKey(instanceType) : capacityTypeKey(instanceType, zone);
  }

  #createKeys(request: Pick<CreateRequest, 'instanceType' | 'zone'>): string[] {
    const scopes = ['all', 'group', 'zone', 'type'] as const;
    return [quota, createPace, ...new Set(scopes.map((scope) => this.#capacityKey(request, scope)))];
  }
}

/** Failures of calls that the provider may never have seen. */
const unanswered: ReadonlySet<string> = new Set(['unavailable', 'aborted', 'rate-limited']);
