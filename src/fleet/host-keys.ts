import type { Clock } from '../domain/clock.js';
import {
  noHostKeyStore,
  type HostKey,
  type HostKeyChange,
  type HostKeyOutcome,
  type HostKeyStore,
  type PinnedHostKey,
} from '../domain/host-key.js';

export interface HostKeysOptions {
  clock: Pick<Clock, 'now'>;
  /** Default: pins end with this process. */
  store?: Pick<HostKeyStore, 'keep' | 'gone'>;
  /** Pins of earlier daemons, by instance id. */
  known?: ReadonlyMap<string, PinnedHostKey>;
  /** Called once for each key of an instance and outcome. Must not throw. */
  onChange?(change: HostKeyChange): void;
}

/** No other key can be accepted for the instance now; the message says why. */
export class HostKeyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'HostKeyError';
  }
}

/** Changes of one instance that are reported; its later ones are refused without a report. */
const mostReports = 16;

/**
 * The host key of each instance, pinned when the instance proved itself first. While the instance boots, another key
 * that it proves replaces the pin, because systems make their keys during the first boot. After that only its provider
 * or an operator changes the pin.
 */
export class HostKeys {
  readonly #options: HostKeysOptions;
  readonly #store: Pick<HostKeyStore, 'keep' | 'gone'>;
  readonly #pins = new Map<string, PinnedHostKey>();
  /** Instances that are in service. */
  readonly #inService = new Set<string>();
  readonly #reported = new Map<string, Set<string>>();

  constructor(options: HostKeysOptions) {
    this.#options = options;
    this.#store = options.store ?? noHostKeyStore;
    for (const [id, pin] of options.known ?? []) {
      this.#pins.set(id, pin);
      if (pin.refused) this.#isNew(id, 'refused', pin.refused);
    }
  }

  of(instanceId: string): PinnedHostKey | undefined {
    return this.#pins.get(instanceId);
  }

  /** The provider knows this key as one of the instance. */
  vouched(instanceId: string, key: HostKey): void {
    this.#pin(instanceId, key, 'vouched');
  }

  /** The instance proved itself with this key. Returns false when another one is pinned for good: use no such connection. */
  proven(instanceId: string, key: HostKey): boolean {
    const pin = this.#pins.get(instanceId);
    if (!pin?.isFinal || pin.fingerprint === key.fingerprint) {
      this.#pin(instanceId, key, 'replaced');
      return true;
    }
    const refused = { ...pin, refused: key };
    this.#pins.set(instanceId, refused);
    if (this.#isNew(instanceId, 'refused', key)) {
      this.#store.keep(refused);
      this.#options.onChange?.({ instanceId, outcome: 'refused', before: pin, now: key });
    }
    return false;
  }

  /** The boot succeeded, or a container is about to be sent: the pin is final. */
  finalise(instanceId: string): void {
    this.#inService.add(instanceId);
    const pin = this.#pins.get(instanceId);
    if (pin && !pin.isFinal) this.#keep({ ...pin, isFinal: true });
  }

  /**
   * Pins the key that an operator accepts: the one with this fingerprint, or the one that was refused last. Throws
   * {@link HostKeyError} when none was. Returns undefined when that key is pinned already.
   */
  accept(instanceId: string, fingerprint: string | undefined): PinnedHostKey | undefined {
    const pin = this.#pins.get(instanceId);
    if (fingerprint !== undefined && pin?.fingerprint === fingerprint) return undefined;
    const key = acceptedKey(instanceId, fingerprint, pin?.refused);
    const accepted = { ...key, instanceId, pinnedAt: this.#options.clock.now(), isFinal: true };
    this.#reported.delete(instanceId);
    this.#keep({ ...accepted, refused: undefined });
    this.#options.onChange?.({ instanceId, outcome: 'accepted', before: pin, now: key });
    return this.#pins.get(instanceId);
  }

  /** The instance is in the list of the provider: its pin is still of use. */
  listed(instanceId: string): void {
    const pin = this.#pins.get(instanceId);
    if (pin) this.#store.keep(pin);
  }

  /** The instance left the list of the provider. */
  gone(instanceId: string): void {
    this.#pins.delete(instanceId);
    this.#inService.delete(instanceId);
    this.#reported.delete(instanceId);
    this.#store.gone(instanceId);
  }

  #pin(instanceId: string, { type, fingerprint }: HostKey, outcome: 'replaced' | 'vouched'): void {
    const { clock, onChange } = this.#options;
    const before = this.#pins.get(instanceId);
    const isSame = before?.fingerprint === fingerprint;
    // An operator may have given the fingerprint alone.
    if (isSame && before.type === type) return;
    const now = { type, fingerprint };
    const isFinal = before?.isFinal === true || this.#inService.has(instanceId);
    const pinnedAt = isSame ? before.pinnedAt : clock.now();
    this.#keep({ ...now, instanceId, pinnedAt, isFinal, refused: before?.refused });
    if (before === undefined || isSame || !this.#isNew(instanceId, outcome, now)) return;
    onChange?.({ instanceId, outcome, before, now });
  }

  #keep(pin: PinnedHostKey): void {
    this.#pins.set(pin.instanceId, pin);
    this.#store.keep(pin);
  }

  /** Remembers the report. */
  #isNew(instanceId: string, outcome: HostKeyOutcome, { fingerprint }: HostKey): boolean {
    const known = this.#reported.get(instanceId) ?? new Set();
    this.#reported.set(instanceId, known);
    const report = `${outcome} ${fingerprint}`;
    if (known.has(report) || known.size >= mostReports) return false;
    known.add(report);
    return true;
  }
}

function acceptedKey(
  instanceId: string,
  fingerprint: string | undefined,
  refused: HostKey | undefined,
): HostKey {
  if (refused && (fingerprint === undefined || fingerprint === refused.fingerprint)) {
    return { type: refused.type, fingerprint: refused.fingerprint };
  }
  if (fingerprint !== undefined) return { type: '', fingerprint };
  throw new HostKeyError(`no other host key of instance ${instanceId} was refused; give the fingerprint`);
}
