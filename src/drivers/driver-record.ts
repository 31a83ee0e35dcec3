/** One text of a driver that must outlive the daemon, and that a daemon which takes over must find. */
export interface DriverRecord {
  /** The text, `undefined` before the first write, and its version. Rejects with `DriverError` `unavailable`. */
  load(): Promise<{ text: string | undefined; version: number }>;
  /**
   * Writes what follows that version, which makes it the version + 1, and resolves when it would survive a crash. False:
   * another process wrote meanwhile, and nothing was written. Rejects with `DriverError` `unavailable`.
   */
  save(record: { text: string; version: number }): Promise<boolean>;
}
