/** The public key of a host, as people compare it. */
export interface HostKey {
  /** As in `ssh-ed25519`; `''` while only the fingerprint is known. */
  type: string;
  /** `SHA256:…`, as OpenSSH shows it. */
  fingerprint: string;
}

/** The host key that an instance is bound to. */
export interface PinnedHostKey extends HostKey {
  instanceId: string;
  /** Epoch ms. */
  pinnedAt: number;
  /** False while the instance boots: another key that it proves replaces this one. */
  isFinal: boolean;
  /** The key that was refused last; `undefined`: none was. */
  refused: HostKey | undefined;
}

/**
 * How a change of a host key ended. `refused`: the instance is in service, and has another key than before; `replaced`:
 * it was booting; `vouched`: its provider knows the new key; `accepted`: an operator accepted the new key.
 */
export const hostKeyOutcomes = ['refused', 'replaced', 'vouched', 'accepted'] as const;
export type HostKeyOutcome = (typeof hostKeyOutcomes)[number];

export interface HostKeyChange {
  instanceId: string;
  outcome: HostKeyOutcome;
  /** `undefined`: none was pinned before. */
  before: HostKey | undefined;
  now: HostKey;
}

/** Keeps pinned host keys from one daemon to the next. Writing never waits and never fails here. */
export interface HostKeyStore {
  /** All that earlier daemons kept, by instance id. Rejects when it cannot be read. */
  load(): Promise<ReadonlyMap<string, PinnedHostKey>>;
  /** Written until the store takes it. */
  keep(pinned: PinnedHostKey): void;
  gone(instanceId: string): void;
}

export const noHostKeyStore: HostKeyStore = {
  load: () => Promise.resolve(new Map()),
  keep: () => {},
  gone: () => {},
};

/** The key for people. */
export function describeHostKey({ type, fingerprint }: HostKey): string {
  return type === '' ? fingerprint : `${fingerprint} (${type})`;
}
