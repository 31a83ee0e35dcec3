import type { Client } from 'ssh2';
import type { Clock } from '../domain/clock.js';
import type { OpenCommand } from './command.js';
import { deadlineOf } from './deadline.js';
import { ExecutorError } from './executor.js';
import { Slots } from '../async/semaphore.js';
import type { SshLink } from './ssh-link.js';

/** So long a user waits for a session of another to end. */
const longestWaitMs = 10_000;
/** A connection that has served is kept for the next session. */
const idleMs = 60_000;

/** Sessions of users on one instance, over a connection of their own, and bounded in number. */
export class UserSessions {
  readonly #link: SshLink;
  readonly #clock: Clock;
  readonly #slots: Slots;
  #most: number;
  #inUse = 0;
  #idle: unknown;
  #isClosed = false;

  constructor(link: SshLink, clock: Clock, most: number) {
    this.#link = link;
    this.#clock = clock;
    this.#most = most;
    this.#slots = new Slots(most);
  }

  /** Rejects with `session-limit` when no session becomes free in time, and at once when the server refuses one. */
  async open(open: (client: Client) => Promise<OpenCommand>, signal: AbortSignal): Promise<OpenCommand> {
    await this.#takeSlot(signal);
    this.#inUse++;
    this.#clock.clearTimeout(this.#idle);
    try {
      const session = await this.#link.open(open, signal, () => this.#refused());
      void session.closed.then(() => this.#release());
      return session;
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** Final. */
  close(): void {
    this.#isClosed = true;
    this.#clock.clearTimeout(this.#idle);
    this.#link.close();
  }

  async #takeSlot(signal: AbortSignal): Promise<void> {
    const deadline = deadlineOf(this.#clock, longestWaitMs, 'the wait for a session', signal);
    try {
      await this.#slots.take(deadline.signal);
    } catch (error) {
      if (signal.aborted) throw new ExecutorError('aborted', 'the session was given up', { sent: false });
      const text =
        `no session on the instance became free within ${longestWaitMs / 1000} s: ` +
        `${this.#inUse} logs, shells and files are open, and no more than ${this.#most} may be. Close one of them`;
      throw new ExecutorError('session-limit', text, { cause: error });
    } finally {
      deadline.end();
    }
  }

  #refused(): void {
    const { limit, open } = this.#link.sessions;
    this.#most = Math.min(this.#most, limit);
    this.#slots.resize(this.#most);
    const text = `the session was refused: ${this.#link.sessions.describe()}`;
    throw new ExecutorError('session-limit', open > 0 ? `${text}. Close one of them` : text);
  }

  #release(): void {
    this.#inUse--;
    this.#slots.release();
    if (this.#inUse > 0 || this.#isClosed) return;
    this.#idle = this.#clock.setTimeout(() => this.#link.disconnect(), idleMs);
  }
}
