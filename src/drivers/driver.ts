import type { Instance, PricePoint, Tags } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { DriverErrorCode, CapacityScope } from '../domain/driver-error-code.js';

/** What a new instance should be (DI-6). */
export interface CreateSpec {
  instanceType: InstanceType;
  imageId: string;
  tags: Tags;
  /** Shell text under 1 KiB, to be run as root at first boot. */
  initCommand: string;
  /** OpenSSH text of the key that may log in, or `undefined` to install none. */
  publicKey: string | undefined;
  /** One of those the driver named for the type; not given: its own choice. */
  zone?: string;
  /** Same text for each try of one wish, so that a provider can drop a repeat. */
  idempotencyToken: string;
  /** Parts of this order that no error may show, like the secret inside the init command. */
  secrets?: readonly string[];
}

export interface CallOptions {
  signal: AbortSignal;
}

/**
 * One instance set at one provider (V-2, DI-1..DI-14). Calls may be concurrent. Each rejects with
 * {@link DriverError} and nothing else, as soon as its signal aborts at the latest (code `aborted`).
 */
export interface Driver {
  readonly name: string;
  /** Resolves when the provider accepted; the address may still be empty. Never resolves without an instance. */
  create(spec: CreateSpec, options: CallOptions): Promise<Instance>;
  /** All instances that have the tags, those that boot or stop included; new objects each time. May lag behind the truth. */
  list(tags: Tags, options: CallOptions): Promise<Instance[]>;
  /** Resolves when the provider accepted the order. Destroying what is gone, or was destroyed before, succeeds. */
  destroy(id: string, options: CallOptions): Promise<void>;
  /** Makes `tags` the whole set of tags; keys that are not in it go away (DW-2). */
  setTags(id: string, tags: Tags, options: CallOptions): Promise<void>;
  /**
   * Decides on a host key where the provider can: `true` or `false`. `undefined`: it cannot, so the instance
   * secret decides (DI-12).
   */
  verifyHostKey(instance: Instance, key: Uint8Array, options: CallOptions): Promise<boolean | undefined>;
  /** Prices of a spot instance, newest first; empty when unknown. */
  priceHistory(instance: Instance, type: InstanceType): readonly PricePoint[];
  /** Types that share a provider quota have the same text (DI-8). */
  quotaGroup(type: InstanceType): string;
  /**
   * Where instances of the type can be made (zones or subnets), the preferred and cheapest first. The pool then says in
   * each create call where, and goes on to the next place while one lacks capacity. Not there: the driver chooses.
   */
  zones?(type: InstanceType): readonly string[];
  /**
   * Ends the quarantine of an instance. Resolves to false when it is in none. `force`: the operator vouches that nothing
   * runs there; otherwise the driver makes sure, and rejects when it cannot. Not there: the driver quarantines nothing.
   */
  clearQuarantine?(id: string, options: CallOptions & { force: boolean }): Promise<boolean>;
  /** Ends background work, frees sockets. Instances live on. */
  stop(): Promise<void>;
}

export interface DriverErrorOptions {
  cause?: unknown;
  /** Epoch ms; with `rate-limited`. */
  retryAt?: number;
  /** With `capacity`. */
  scope?: CapacityScope;
  /** What the operator can do, one sentence. */
  remedy?: string;
}

/** Tells the operator of something that was dealt with: a constant message, and the data as fields. Holds no secret. */
export type DriverWarning = (message: string, fields: Readonly<Record<string, unknown>>) => void;

/** The one error of the driver contract; switch on `code`, never on the text. Holds no secret. */
export class DriverError extends Error {
  readonly code: DriverErrorCode;
  readonly retryAt: number | undefined;
  readonly scope: CapacityScope | undefined;
  readonly remedy: string | undefined;

  constructor(code: DriverErrorCode, message: string, options: DriverErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'DriverError';
    this.code = code;
    this.retryAt = options.retryAt;
    this.scope = options.scope;
    this.remedy = options.remedy;
  }

  /** A {@link DriverError} as it is; anything else as `unavailable`, with the original as the cause. */
  static from(error: unknown): DriverError {
    if (error instanceof DriverError) return error;
    const text = error instanceof Error ? error.message : String(error);
    return new DriverError('unavailable', text, { cause: error });
  }
}
