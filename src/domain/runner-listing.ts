/** What `--list` said of one instance (P-13). */
export interface RunnerListing {
  /** Containers with a live process. */
  live: readonly string[];
  /** Containers whose lock is held though the process is gone. */
  stale: readonly string[];
  /** Containers that ended and left a result to collect. */
  ended: readonly string[];
  /** Which attempt each of them is, where the runner program recorded it. */
  attempts?: Readonly<Record<string, number>>;
  broken: boolean;
  /** What the runner program says of that; not given: nothing. */
  brokenReason?: string;
  /** The provider announced to take the instance away; the text says what and when. `''` when it did not. */
  interruption: string;
}
