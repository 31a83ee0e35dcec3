import type { InstanceType } from '../domain/instance-type.js';
import type { CloudFailure } from '../machines/cloud-effects.js';
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
    return this.#holdOffs.isBlocked(keyOf(type));
  }

  isOnTrial(type: InstanceType): boolean {
    return this.#holdOffs.isHalfOpen(keyOf(type));
  }

  tried(type: InstanceType): void {
    this.#holdOffs.tell(keyOf(type), 'tried');
  }

  succeeded(type: InstanceType): void {
    this.#failures.delete(keyOf(type));
    this.#holdOffs.tell(keyOf(type), 'succeeded');
  }

  /** Each failure in a row makes the pause twice as long. */
  refused(type: InstanceType, { code, message }: CloudFailure): void {
    const key = keyOf(type);
    if (elsewhere.has(code)) return this.#holdOffs.tell(key, 'abandoned');
    if (code === 'capacity') return this.succeeded(type);
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    if (failures < failuresToHold) return;
    const forMs = Math.min(longestHoldMs, firstHoldMs * 2 ** (failures - failuresToHold));
    this.#holdOffs.refuse(key, { forMs, because: message, trialTimeoutMs: this.#trialTimeoutMs });
  }

  /** An operator's word, given to the hold-off: the count begins anew. */
  forget(key: string): void {
    this.#failures.delete(key);
  }
}

/** Of what counts as one type for the provider. */
function keyOf({ providerType, preemptible }: InstanceType): string {
  return `failing: type ${providerType}${preemptible ? '-preemptible' : ''}`;
}
