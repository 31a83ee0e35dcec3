import { createActor, type ActorRefFrom } from 'xstate';
import type { Logger } from 'pino';
import type { Clock } from '../domain/clock.js';
import { MandateError, type Mandate } from '../domain/leader-guard.js';
import { leadershipMachine, type LeadershipPort, type Sighting } from '../machines/leadership.js';
import { dispatchLockKey, type DispatchLock } from '../queue/controller/dispatch-lock.js';

export interface DispatchLeadOptions {
  lock: DispatchLock;
  clock: Clock;
  log: Logger;
  /** Ms that never go back. */
  monotonicMs(): number;
  /** Of this daemon among those of its store. */
  mandate: Mandate;
  /** Other daemons of this store may still have the lock, whose lead is over. */
  mayEvict: boolean;
  /** Gives orders until the signal aborts; resolves once all that it began has stopped. */
  reign(mandate: Mandate, signal: AbortSignal): Promise<void>;
}

const retryMs = 2_000;
const beatMs = 1_000;
const leaseMs = 5_000;
const takeOverMs = 6_500;
const fields = { component: 'leadership', lock: dispatchLockKey };

/**
 * Lets this daemon lead only while it has the dispatch lock of the cluster, which the old dispatcher takes, too. Has the
 * same states as leading among the daemons of a store, with the lock in the place of the lease.
 */
export class DispatchLead implements LeadershipPort {
  readonly #options: DispatchLeadOptions;
  readonly #actor: ActorRefFrom<typeof leadershipMachine>;
  #fault: string | undefined = 'the database of the cluster was not reached yet';
  /** On the monotonic clock. */
  #heldUntil = -Infinity;
  #reigning: Promise<void> = Promise.resolve();

  constructor(options: DispatchLeadOptions) {
    this.#options = options;
    this.#actor = createActor(leadershipMachine, {
      clock: options.clock,
      input: { port: this, retryMs, beatMs, leaseMs, takeOverMs },
    });
  }

  /** Why this daemon does not lead, with the remedy; `undefined` while it does, or is about to. */
  get fault(): string | undefined {
    return this.#fault;
  }

  start(): void {
    this.#actor.start();
  }

  /** Gives the lock back once all that gave orders has stopped. */
  async stop(): Promise<void> {
    this.#actor.send({ type: 'stop' });
    this.#actor.stop();
    await this.#reigning;
    await this.resign();
  }

  // What the chart asks for.

  prepare(): Promise<void> {
    return this.#options.lock.connect();
  }

  async look(): Promise<Sighting> {
    const { lock, mayEvict, mandate } = this.#options;
    if (mayEvict) {
      await mandate.confirm();
      await lock.evict();
    }
    const holder = await lock.holder();
    if (holder === '') return 'free';
    this.#note(
      `the dispatch lock (${dispatchLockKey}) of the cluster's database is held by ${holder}: stop the old dispatcher`,
    );
    return 'alive';
  }

  async claim(): Promise<boolean> {
    const { lock, log, monotonicMs } = this.#options;
    const askedAt = monotonicMs();
    if (!(await lock.take())) return false;
    this.#heldUntil = askedAt + leaseMs;
    this.#fault = undefined;
    log.info(fields, 'this daemon has the dispatch lock of the cluster');
    return true;
  }

  async renew(): Promise<boolean> {
    const { lock, monotonicMs } = this.#options;
    const askedAt = monotonicMs();
    if (!lock.isHeld || !(await lock.check())) return false;
    this.#heldUntil = askedAt + leaseMs;
    return true;
  }

  reign(signal: AbortSignal): Promise<void> {
    const mandate = this.#mandate();
    const reign = this.#reigning.then(() => this.#options.reign(mandate, signal));
    this.#reigning = reign.catch(() => {});
    return reign;
  }

  async resign(): Promise<void> {
    this.#heldUntil = -Infinity;
    this.#options.lock.close();
  }

  noteFault(error: unknown): void {
    this.#note(error instanceof Error ? error.message : String(error));
  }

  noteEnd(): void {
    this.#heldUntil = -Infinity;
    // Whatever is left of the session: the lock is taken anew.
    this.#options.lock.close();
    this.#note('the dispatch lock of the cluster was lost');
  }

  #mandate(): Mandate {
    const { mandate } = this.#options;
    const assert = (): void => {
      mandate.assert();
      if (this.#holds()) return;
      throw new MandateError('this daemon lost the dispatch lock of the cluster, so it gives no orders');
    };
    return {
      assert,
      confirm: async () => {
        assert();
        await mandate.confirm();
        assert();
      },
    };
  }

  #holds(): boolean {
    const { lock, monotonicMs } = this.#options;
    return lock.isHeld && monotonicMs() < this.#heldUntil;
  }

  #note(text: string): void {
    if (text !== this.#fault)
      this.#options.log.warn({ ...fields, reason: text }, 'this daemon does not lead');
    this.#fault = text;
  }
}
