/** Refusals in a row, without a change on the connection, after which they are the limit of the server and not chance. */
const convincing = 4;

/**
 * How many sessions a server allows at once on one connection, as far as refusals tell. OpenSSH frees a session a little
 * after its end was heard, so that one refusal says nothing.
 */
export class SessionBudget {
  #open = 0;
  #refusals = 0;
  #limit = Infinity;

  /** Open sessions. */
  get open(): number {
    return this.#open;
  }

  /** Infinity until the server refused one for good. */
  get limit(): number {
    return this.#limit;
  }

  opened(): void {
    this.#open++;
    this.#refusals = 0;
    // The server was given more room.
    if (this.#open > this.#limit) this.#limit = Infinity;
  }

  closed(): void {
    this.#open--;
    this.#refusals = 0;
  }

  /** True when the server refuses for good what goes beyond the sessions that are open. */
  refused(): boolean {
    if (++this.#refusals < convincing) return false;
    this.#limit = Math.max(1, this.#open);
    return true;
  }

  /** For people. */
  describe(): string {
    const allowed = Number.isFinite(this.#limit)
      ? `${this.#limit} at once`
      : `no more than ${this.#open} now`;
    return `the SSH server of the instance allows ${allowed} (MaxSessions in its sshd_config), and ${this.#open} are open`;
  }
}
