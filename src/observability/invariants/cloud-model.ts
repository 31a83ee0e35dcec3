import { steadySlew } from '../../domain/clock.js';
import type { WorkerState } from '../../domain/instance.js';
import type { Invariant, Violation } from './invariants.js';
import type { SteadyTime } from './monotonic-time.js';
import type { FleetLimits } from './fleet-limits.js';

interface Launch {
  askedAt: number;
  /** Its instance is known, or was: the answer may be later than the list, and later than the end of the instance. */
  isListed: boolean;
  isReported: boolean;
}

interface Leaving {
  /** When it was last told to go, or began to wait for that; steady ms. */
  toldAt: number;
  confirmedAt: number | undefined;
}

interface QuotaHold {
  present: number;
  until: number;
}

export interface DestroyCall {
  instance: string;
  /** Epoch ms. */
  startedAt: number;
  endedAt: number;
  /** An instance that was gone already counts. */
  isDone: boolean;
}

const graceMs = 60_000;
const paceWindowMs = 10_000;
/** Timers fire a little early, and the clock counts whole milliseconds. */
const paceSlack = 2;
const earlyMs = 100;
/** Waits are made by timers and told by the clock, which runs slower than they do while it comes to a time that was set. */
const clockSlack = 1 - steadySlew;

/** What the provider is asked for, and what it shows. */
export class CloudModel {
  readonly #limits: FleetLimits;
  readonly #stateOf: (instance: string) => WorkerState | undefined;
  readonly #violated: (violation: Violation) => void;
  readonly #time: SteadyTime;
  /** Create calls under way, by the fingerprint of their secret. */
  readonly #launches = new Map<string, Launch>();
  /** Fingerprints of known instances. */
  readonly #fingerprints = new Map<string, string>();
  readonly #leaving = new Map<string, Leaving>();
  readonly #unknown = new Set<string>();
  #quota: QuotaHold | undefined;
  #callsAt: number[] = [];
  /** When the provider last failed us: it is called less often then. */
  #troubleAt = -Infinity;

  constructor(
    limits: FleetLimits,
    time: SteadyTime,
    stateOf: (instance: string) => WorkerState | undefined,
    violated: (violation: Violation) => void,
  ) {
    this.#limits = limits;
    this.#time = time;
    this.#stateOf = stateOf;
    this.#violated = violated;
  }

  recorded(instance: string, fingerprint: string): void {
    this.#fingerprints.set(instance, fingerprint);
    const launch = this.#launches.get(fingerprint);
    if (launch) launch.isListed = true;
    this.#unknown.delete(instance);
  }

  gone(instance: string, present: number): void {
    this.#fingerprints.delete(instance);
    this.#leaving.delete(instance);
    if (this.#quota && present + this.#unlisted() < this.#quota.present) this.#quota = undefined;
  }

  /** An instance is to be destroyed from now on; `now` in steady ms. */
  isLeaving(instance: string, now: number): void {
    this.#leaving.set(instance, { toldAt: now, confirmedAt: undefined });
  }

  /** A create call is about to be made. */
  createAsked(at: number, fingerprint: string): void {
    const { maxInstances, maxConcurrentCreates } = this.#limits;
    const now = this.#time.at(at);
    const present = this.#present();
    if (maxInstances > 0 && present >= maxInstances)
      this.#violate('quota-is-kept', at, `one more was asked for with ${present} of ${maxInstances} there`);
    if (this.#quota && now < this.#quota.until - earlyMs && present >= this.#quota.present)
      this.#violate(
        'quota-is-kept',
        at,
        `one more was asked for with ${present} there, which the provider found too many`,
      );
    const isListed = [...this.#fingerprints.values()].includes(fingerprint);
    this.#launches.set(fingerprint, { askedAt: now, isListed, isReported: false });
    if (maxConcurrentCreates > 0 && this.#launches.size > maxConcurrentCreates)
      this.#violate(
        'creates-are-bounded',
        at,
        `${this.#launches.size} create calls are under way, and ${maxConcurrentCreates} may be`,
      );
  }

  /** Its answer; `instance` is the new one, `failure` the code of the error. */
  createSettled(
    at: number,
    fingerprint: string,
    { instance, failure }: { instance?: string; failure?: string },
  ): void {
    const { quotaRetryMs, quotaHoldOffMs } = this.#limits;
    this.#launches.delete(fingerprint);
    if (instance !== undefined) {
      this.#quota = undefined;
      return;
    }
    if (failure !== 'quota') return;
    const present = this.#present();
    const until = this.#time.at(at) + clockSlack * (present < 1 ? quotaHoldOffMs : quotaRetryMs);
    this.#quota = { present: Math.min(present, this.#quota?.present || Infinity), until };
  }

  /** An operator said that there is quota again. */
  quotaReset(): void {
    this.#quota = undefined;
  }

  /** A call to the provider began; told when it has ended, so that calls come in any order. */
  called(endedAt: number, durationMs: number, failed: boolean): void {
    const { maxCloudOpsPerSecond: rate } = this.#limits;
    const now = this.#time.at(endedAt);
    if (failed) this.#troubleAt = now;
    if (rate <= 0) return;
    this.#callsAt = this.#callsAt.filter((each) => each > now - paceWindowMs);
    if (durationMs >= paceWindowMs) return;
    this.#callsAt.push(now - durationMs);
    // A second's worth may be used at once.
    const most = Math.ceil((rate * paceWindowMs) / 1_000) + Math.max(1, Math.ceil(rate)) + paceSlack;
    if (this.#callsAt.length <= most) return;
    this.#violate(
      'calls-are-paced',
      endedAt,
      `${this.#callsAt.length} calls were made within 10 s, and ${most} is the most`,
    );
    this.#callsAt = [];
  }

  destroyed({ instance, startedAt, endedAt, isDone }: DestroyCall): void {
    const { timeoutShutdownMs } = this.#limits;
    const now = this.#time.at(endedAt);
    const state = this.#stateOf(instance);
    const leaving = this.#leaving.get(instance);
    if (!leaving) {
      if (state !== undefined)
        this.#violate('destroy-is-decided', endedAt, `${instance} is ${state} and was destroyed`, instance);
      return;
    }
    const sinceMs = now - (endedAt - startedAt) - (leaving.confirmedAt ?? -Infinity);
    if (sinceMs < clockSlack * timeoutShutdownMs - paceSlack)
      this.#violate(
        'destroy-is-paced',
        endedAt,
        `${instance} was destroyed again ${sinceMs} ms after that was confirmed`,
        instance,
      );
    leaving.toldAt = now;
    if (isDone) leaving.confirmedAt = now;
  }

  listed(at: number, instances: readonly string[], isKnown: (instance: string) => boolean): void {
    const unknown = instances.filter((id) => !isKnown(id));
    for (const id of unknown) {
      if (this.#unknown.has(id))
        this.#violate('every-instance-known', at, `${id} is listed again and nothing is known of it`, id);
    }
    this.#unknown.clear();
    for (const id of unknown) this.#unknown.add(id);
  }

  /** `now` in steady ms; `count`: how many workers there are. */
  check(at: number, now: number, count: number): void {
    const { timeoutShutdownMs, cloudCallTimeoutMs, maxCloudOpsPerSecond: rate } = this.#limits;
    const inLineMs = rate > 0 ? ((count + this.#launches.size) * 2_000) / rate : 0;
    const callMs = 2 * cloudCallTimeoutMs + inLineMs + graceMs;
    for (const [instance, leaving] of this.#leaving) {
      const forMs = now - Math.max(leaving.toldAt, this.#troubleAt);
      if (forMs <= timeoutShutdownMs + callMs) continue;
      const what = `${instance} is to be destroyed, and the provider was not told for ${Math.round(forMs / 1_000)} s`;
      this.#violate('waits-end', at, what, instance);
      leaving.toldAt = now;
    }
    for (const launch of this.#launches.values()) {
      const forMs = now - Math.max(launch.askedAt, this.#troubleAt);
      if (launch.isReported || forMs <= callMs) continue;
      launch.isReported = true;
      this.#violate('waits-end', at, `a create call has no answer for ${Math.round(forMs / 1_000)} s`);
    }
  }

  /** Workers, and create calls whose instance is not among them yet. */
  #present(): number {
    return this.#fingerprints.size + this.#unlisted();
  }

  #unlisted(): number {
    let count = 0;
    for (const launch of this.#launches.values()) if (!launch.isListed) count++;
    return count;
  }

  #violate(invariant: Invariant, at: number, what: string, instance?: string): void {
    this.#violated({ invariant, at, what, ...(instance === undefined ? {} : { instance }) });
  }
}
