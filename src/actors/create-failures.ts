import type { InstanceType } from '../domain/instance-type.js';
import type { CloudFailure } from '../machines/cloud-effects.js';
import type { CreateWish } from './create-limits.js';
import type { HoldOffs } from './hold-offs.js';

/** Failures in a row of one type after which it is not asked for at once again. */
const failuresToHold = 3;
const firstHoldMs = 1_000;
const longestHoldMs = 60_000;
/** What says nothing of the type itself. */
const elsewhere: ReadonlySet<string> = new Set(['aborted', 'rate-limited', 'quota']);

/**
 * Notices that create calls of one type fail again and again for another reason than what the provider has, so that a
 * wrong image or a missing permission costs few calls, and other types are tried meanwhile.
 */
export class CreateFailures {
  readonly #holdOffs: HoldOffs;
  readonly #trialTimeoutMs: number;
  readonly #failures = new Map<string, number>();

  constructor(holdOffs: HoldOffs, trialTimeoutMs: number) {
    this.#holdOffs = holdOffs;
    this.#trialTimeoutMs = trialTimeoutMs;
  }

  blocks(type: InstanceType): boolean {
    return this.#holdOffs.isBlocked(failingKey(type));
  }

  isOnTrial(type: InstanceType): boolean {
    return this.#holdOffs.isHalfOpen(failingKey(type));
  }

  tried({ launchId, instanceType }: CreateWish): void {
    this.#holdOffs.tell(failingKey(instanceType), 'tried', launchId);
  }

  /** The provider took the call as a good one. Of one that is held only the trial's success counts. */
  succeeded({ launchId, instanceType }: CreateWish): void {
    const key = failingKey(instanceType);
    this.#holdOffs.tell(key, 'succeeded', launchId);
    if (this.#holdOffs.stateOf(key) === 'open') this.#failures.delete(key);
  }

  /** Each failed trial makes the pause twice as long. */
  refused(call: CreateWish, { code, message }: CloudFailure): void {
    const key = failingKey(call.instanceType);
    if (elsewhere.has(code)) return this.#holdOffs.tell(key, 'abandoned', call.launchId);
    if (code === 'capacity') return this.succeeded(call);
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    if (failures < failuresToHold && this.#holdOffs.stateOf(key) === 'open') return;
    this.#holdOffs.refuse(key, {
      call: call.launchId,
      forMs: firstHoldMs,
      longestMs: longestHoldMs,
      because: message,
      trialTimeoutMs: this.#trialTimeoutMs,
    });
  }

  /** An operator's word, given to the hold-off: the count begins anew. */
  forget(key: string): void {
    this.#failures.delete(key);
  }
}

/** Of what counts as one type for the provider. */
export function failingKey({ providerType, preemptible }: InstanceType): string {
  return `failing: type ${providerType}${preemptible ? '-preemptible' : ''}`;
}
