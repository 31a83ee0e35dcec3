import { createActor, type ActorRefFrom } from 'xstate';
import type { Clock } from '../domain/clock.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { CloudFailure } from '../machines/cloud-effects.js';
import { holdOffMachine } from '../machines/hold-off.js';

export interface CreateLimitsOptions {
  clock: Clock;
  quotaGroup(type: InstanceType): string;
  maxInstances: number;
  maxConcurrentCreates: number;
  quotaHoldOffMs: number;
  /** After this long at "until fewer instances" one trial create is allowed. */
  quotaRetryMs: number;
  capacityHoldOffMs: number;
  trialTimeoutMs: number;
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

/** One hold-off, for people. */
export interface HoldOffView {
  /** `quota`, `create pace`, `list pace`, or `capacity: …`. */
  key: string;
  state: 'held' | 'halfOpen' | 'trying';
  because: string;
  /** Epoch ms at which it opens by itself; `undefined` unless held. */
  until: number | undefined;
}

type HoldOff = ActorRefFrom<typeof holdOffMachine>;

/** What keeps the pool from asking for instances: quota, lack of capacity, the provider's pace (L-11..L-20). */
export class CreateLimits {
  readonly #options: CreateLimitsOptions;
  readonly #holdOffs = new Map<string, HoldOff>();
  readonly #until = new Map<string, number>();
  /** At quota until there are fewer instances than this; 0: no such limit (L-12). */
  #untilFewer = 0;

  constructor(options: CreateLimitsOptions) {
    this.#options = options;
  }

  atQuota(counts: InstanceCounts): boolean {
    const { maxInstances } = this.#options;
    return this.#isBlocked('quota') || (maxInstances > 0 && counts.workers + counts.pending >= maxInstances);
  }

  atCapacity(type: InstanceType): boolean {
    return this.#capacityKeys(type).some((key) => this.#isBlocked(key));
  }

  createHeldUntil(): number | undefined {
    return this.#isBlocked('create pace')
      ? (this.#until.get('create pace') ?? this.#options.clock.now())
      : undefined;
  }

  /** How long the provider does not want to be asked for a list, ms. */
  listHoldMs(): number {
    if (!this.#isBlocked('list pace')) return 0;
    return Math.max(1, (this.#until.get('list pace') ?? 0) - this.#options.clock.now());
  }

  /** How many more create calls would be accepted now, quota and pace considered. */
  creatable(counts: InstanceCounts): number {
    const { maxInstances, maxConcurrentCreates } = this.#options;
    if (this.atQuota(counts) || this.#isBlocked('create pace')) return 0;
    const isTrial = this.#stateOf('quota') === 'halfOpen' || this.#stateOf('create pace') === 'halfOpen';
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
  tried(type: InstanceType): void {
    for (const key of this.#createKeys(type)) this.#holdOffs.get(key)?.send({ type: 'tried' });
  }

  succeeded(type: InstanceType): void {
    this.#untilFewer = 0;
    for (const key of this.#createKeys(type)) this.#holdOffs.get(key)?.send({ type: 'succeeded' });
  }

  /** A create call failed; `counts` without that call (L-12, L-15, L-19). */
  createRefused(type: InstanceType, error: CloudFailure, counts: InstanceCounts): void {
    const { clock, quotaHoldOffMs, quotaRetryMs, capacityHoldOffMs } = this.#options;
    const refused = new Map<string, number>();
    if (error.code === 'rate-limited') refused.set('create pace', (error.retryAt ?? 0) - clock.now());
    if (error.code === 'capacity')
      refused.set(this.#capacityKey(type, error.scope ?? 'all'), capacityHoldOffMs);
    if (error.code === 'quota') refused.set('quota', this.#noteQuota(counts) ? quotaRetryMs : quotaHoldOffMs);
    for (const key of this.#createKeys(type)) {
      if (!refused.has(key)) this.#holdOffs.get(key)?.send({ type: 'succeeded' });
    }
    for (const [key, forMs] of refused) this.#refuse(key, forMs, error.message);
  }

  listRefused(error: CloudFailure): void {
    if (error.code !== 'rate-limited') return;
    this.#refuse('list pace', (error.retryAt ?? 0) - this.#options.clock.now(), error.message);
  }

  /** The list is known anew: fewer instances than at the last quota error end the wait (L-14). */
  synced(counts: InstanceCounts): void {
    if (this.#untilFewer > counts.workers + counts.pending) this.reset('quota');
  }

  /** An operator's word. False: no such hold-off. */
  reset(key: string): boolean {
    if (key === 'quota') this.#untilFewer = 0;
    this.#holdOffs.get(key)?.send({ type: 'reset' });
    return this.#holdOffs.has(key);
  }

  views(): HoldOffView[] {
    return [...this.#holdOffs].flatMap(([key, actor]) => {
      const { value, context } = actor.getSnapshot();
      if (value === 'open') return [];
      const until = value === 'held' ? this.#until.get(key) : undefined;
      return [{ key, state: value, because: context.because, until }];
    });
  }

  stop(): void {
    for (const actor of this.#holdOffs.values()) actor.stop();
    this.#holdOffs.clear();
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

  #refuse(key: string, forMs: number, because: string): void {
    if (forMs <= 0) return;
    this.#until.set(key, this.#options.clock.now() + forMs);
    this.#holdOff(key).send({ type: 'refused', forMs, because });
  }

  #holdOff(key: string): HoldOff {
    const known = this.#holdOffs.get(key);
    if (known) return known;
    const { clock, trialTimeoutMs, onOpened } = this.#options;
    const actor = createActor(holdOffMachine, { input: { trialTimeoutMs }, clock: clock });
    actor.on('holdOff.opened', onOpened);
    actor.start();
    this.#holdOffs.set(key, actor);
    return actor;
  }

  #stateOf(key: string): 'open' | 'held' | 'halfOpen' | 'trying' {
    return this.#holdOffs.get(key)?.getSnapshot().value ?? 'open';
  }

  #isBlocked(key: string): boolean {
    const state = this.#stateOf(key);
    return state === 'held' || state === 'trying';
  }

  #capacityKey(type: InstanceType, scope: 'type' | 'group' | 'all'): string {
    if (scope === 'all') return 'capacity: all';
    if (scope === 'group') return `capacity: group ${this.#options.quotaGroup(type)}`;
    return `capacity: type ${type.providerType}${type.preemptible ? '-preemptible' : ''}`;
  }

  #capacityKeys(type: InstanceType): string[] {
    return [
      this.#capacityKey(type, 'all'),
      this.#capacityKey(type, 'group'),
      this.#capacityKey(type, 'type'),
    ];
  }

  #createKeys(type: InstanceType): string[] {
    return ['quota', 'create pace', ...this.#capacityKeys(type)];
  }
}
