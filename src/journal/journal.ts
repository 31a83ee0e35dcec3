/** One thing that happened and why. Plain JSON; holds no secret. */
export interface JournalEntry {
  /** Epoch ms. */
  at: number;
  /** Dotted fact: `worker.transition`, `cloud.create`, `plan.decision`, `operator.order`, … */
  kind: string;
  instance?: string;
  container?: string;
  from?: string;
  to?: string;
  event?: string;
  because?: string;
  data?: Readonly<Record<string, unknown>>;
}

/** A create call that was decided on; on disk before the cloud is asked. */
export interface LaunchIntent {
  /** Fingerprint of the instance secret, as the tag shows it. */
  secretFingerprint: string;
  instanceType: string;
  at: number;
}

export interface JournalFilter {
  instance?: string;
  container?: string;
  kind?: string;
  /** Any of these. */
  kinds?: readonly string[];
  /** None of these. */
  without?: readonly string[];
  /** Epoch ms. */
  since?: number;
  limit?: number;
}

/** How well entries reach the store. */
export interface JournalState {
  /** Appended, and not in the store yet. */
  waiting: number;
  /** Lost since the daemon began: they came while too many waited, or were none. */
  dropped: number;
  /** Bytes that were left out, since they were more about one instance than is taken. */
  leftOutBytes: number;
  /** Why the store does not take entries now, for people; `undefined` when it does. */
  fault: string | undefined;
}

/** The append-only record of what happened and why. */
export interface Journal {
  /** Never throws and never waits; written in batches. */
  append(entry: JournalEntry): void;
  /** Resolves once all that was appended is on disk. */
  flush(): Promise<void>;
  state(): JournalState;
  /** The latest that match, oldest first; at most `limit`, or 1000. */
  read(filter: JournalFilter): Promise<JournalEntry[]>;
  /** All that match and were appended before the call, oldest first, in pages; `limit` bounds the sum. */
  pages(filter: JournalFilter): AsyncIterable<readonly JournalEntry[]>;
  /** Durable when it resolves. */
  recordIntent(intent: LaunchIntent): Promise<void>;
  /** The instance is known, or the call failed for sure. */
  settleIntent(secretFingerprint: string, outcome: string): Promise<void>;
  openIntents(): Promise<LaunchIntent[]>;
  /** Settled and open ones, newest first; the latest 100,000. */
  recordedIntents(): Promise<LaunchIntent[]>;
}
