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
