/** One change of a spot price: from `startAt` on, the instance costs `price` dollars an hour. */
export interface PricePoint {
  /** Epoch ms. */
  startAt: number;
  price: number;
}

export type Tags = Readonly<Record<string, string>>;

/** What the cloud said of one VM at one moment; plain data, compared by `id` (V-1, DI-10). */
export interface Instance {
  /** Stable for the VM's life. */
  id: string;
  /** For people; may equal `id`. */
  displayName: string;
  providerType: string;
  /** Host or IP, with `:port` where it is not the default one; `''` while unknown. */
  address: string;
  /** Login user. */
  remoteUser: string;
  tags: Tags;
  /** Newest first; empty when the provider has no spot price for it (DI-13). */
  priceHistory: readonly PricePoint[];
  /** Not given: it is in none. */
  quarantine?: Quarantine;
}

/** An instance that is set aside until an operator clears it: nothing is given to it, and nothing is tried on it. */
export interface Quarantine {
  /** Epoch ms. */
  at: number;
  /** One clause: what failed. */
  because: string;
}

/** What an operator can do about it, one clause. */
export function quarantineRemedy(instanceId: string): string {
  return `end what runs there, then: longshore quarantine clear ${instanceId}`;
}

/** The same, of an instance that the daemon quarantined for what it did. */
export function misconductRemedy(instanceId: string): string {
  return (
    `longshore hold ${instanceId} keeps it for inspection, longshore quarantine clear ${instanceId} puts it back into ` +
    `use, longshore kill ${instanceId} destroys it now`
  );
}

/** The same, of an instance whose host key changed while it was in service. */
export function hostKeyRemedy(instanceId: string, fingerprint: string): string {
  return (
    `if the key was changed on purpose: longshore host-key accept ${instanceId} ${fingerprint}; otherwise: ` +
    `longshore kill ${instanceId}`
  );
}

export const workerStates = ['unknown', 'booting', 'idle', 'running', 'shutdown'] as const;
/** The pool's view of an instance (V-10). */
export type WorkerState = (typeof workerStates)[number];

export const idleBehaviors = ['run', 'hold', 'drain'] as const;
/** The operator's wish for an instance (V-9). */
export type IdleBehavior = (typeof idleBehaviors)[number];

export const bootOutcomes = ['failure', 'success', 'aborted', 'disappeared'] as const;
/** How a boot ended; at most one for each worker record (V-13). */
export type BootOutcome = (typeof bootOutcomes)[number];

export const bootStages = ['requested', 'addressed', 'connected', 'verified', 'booted', 'copied'] as const;
/** How far a boot has come; each stage names what is already true. */
export type BootStage = (typeof bootStages)[number];

export function isIdleBehavior(text: string | undefined): text is IdleBehavior {
  return (idleBehaviors as readonly string[]).includes(text ?? '');
}

/** The tag keys the pool uses, under the configured prefix (V-15). */
export interface TagKeys {
  instanceSetId: string;
  instanceType: string;
  idleBehavior: string;
  instanceSecret: string;
}

export function tagKeys(prefix: string): TagKeys {
  return {
    instanceSetId: `${prefix}InstanceSetID`,
    instanceType: `${prefix}InstanceType`,
    idleBehavior: `${prefix}IdleBehavior`,
    instanceSecret: `${prefix}InstanceSecret`,
  };
}

/** Why an instance lost what was put on it, and its containers: another boot id. */
export const rebooted = 'the instance rebooted';
