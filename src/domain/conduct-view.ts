import type { Quarantine } from './instance.js';
import type { StrikeKind } from './instance-limits.js';

/** What an instance did that it must not, by numbers. */
export interface ConductView {
  strikes: Readonly<Partial<Record<StrikeKind, number>>>;
  /** Claims about containers of others, or about other attempts. */
  claimsRefused: number;
  quarantine: Quarantine | undefined;
}

/** The same, with what the journal did not take. */
export interface InstanceConduct extends ConductView {
  /** Bytes of journal entries about it that were too much. */
  bytesLeftOut: number;
}

/** The same, as it outlives a daemon. */
export interface RecordedConduct extends ConductView {
  instanceId: string;
}

/** Keeps strikes and quarantines from one daemon to the next. Writing never waits and never fails here. */
export interface ConductStore {
  /** Resolves to all that earlier daemons kept, by instance id. Rejects when it cannot be read. */
  load(): Promise<ReadonlyMap<string, RecordedConduct>>;
  /** Written until the store takes it. */
  keep(conduct: RecordedConduct): void;
  gone(instanceId: string): void;
}

export const noConductStore: ConductStore = {
  load: () => Promise.resolve(new Map()),
  keep: () => {},
  gone: () => {},
};
