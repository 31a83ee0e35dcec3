import { createActor, type ActorRefFrom } from 'xstate';
import type { Logger } from 'pino';
import type { Clock } from '../domain/clock.js';
import { MandateError, type Mandate } from '../domain/leader-guard.js';
import type { Role } from '../domain/leadership-role.js';
import { leadershipMachine, type LeadershipPort, type Sighting } from '../machines/leadership.js';
import { QueueError } from '../queue/queue.js';
import { migrateStore } from '../queue/store/database.js';
import { claimLease, isLatestEpoch, readLease, renewLease, resignLease, type Lease } from './lease-table.js';
import { guarded } from '../queue/store/store-error.js';
import type { StoreTarget } from '../queue/store/store-url.js';
import type { Store } from '../queue/store/schema.js';

export interface LeadershipOptions {
  db: Store;
  target: StoreTarget;
  clock: Clock;
  log: Logger;
  /** Ms that never go back, whatever happens to the clock on the wall. */
  monotonicMs(): number;
  /** Of this daemon: for people. */
  name: string;
  /** Where its API is; known once it listens. */
  url(): string;
  instanceSetId: string;
  /** Begins to give orders; resolves once all that it began has stopped after the signal aborted. */
  reign(epoch: number, mandate: Mandate, signal: AbortSignal): Promise<void>;
}

const retryMs = 2_000;
const beatMs = 1_000;
const leaseMs = 5_000;
const takeOverMs = 6_500;
const resignTimeoutMs = 2_000;

/** Decides with the other daemons of the store which of them leads, and grants or refuses each order of this one. */
export class Leadership implements LeadershipPort {
  readonly #options: LeadershipOptions;
  readonly #actor: ActorRefFrom<typeof leadershipMachine>;
  #seen: Lease | undefined;
  #epoch: number | undefined;
  /** On the monotonic clock. */
  #heldUntil = -Infinity;
  #fault: string | undefined = 'the store was not reached yet';
  #reigning: Promise<void> = Promise.resolve();

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#actor = createActor(leadershipMachine, {
      clock: options.clock,
      input: { port: this, retryMs, beatMs, leaseMs, takeOverMs },
    });
  }

  start(): void {
    this.#actor.start();
  }

  /** Ends leading, and lets another lead at once. */
  async stop(): Promise<void> {
    this.#actor.send({ type: 'stop' });
    this.#actor.stop();
    await this.#reigning;
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = this.#options.clock.setTimeout(resolve, resignTimeoutMs);
    });
    // Who cannot be told finds out by itself.
    await Promise.race([this.resign().catch(() => {}), late]);
    this.#options.clock.clearTimeout(timer);
  }

  role(): Role {
    const { name, url } = this.#options;
    if (this.#holds()) {
      return { state: 'leading', leader: { name, url: url() }, epoch: this.#epoch!, fault: this.#fault };
    }
    const leader =
      this.#seen && this.#seen.holder !== '' ? { name: this.#seen.holder, url: this.#seen.url } : undefined;
    const state = this.#fault === undefined ? 'standing by' : 'waiting for the store';
    return { state, leader, epoch: this.#seen?.epoch ?? 0, fault: this.#fault };
  }

  // What the leadership's chart asks for.

  async prepare(): Promise<void> {
    const { db, target } = this.#options;
    await migrateStore(db, target);
    this.#fault = undefined;
  }

  async look(): Promise<Sighting> {
    const { instanceSetId } = this.#options;
    const before = this.#seen;
    const lease = await guarded('the store cannot be read', () => readLease(this.#options.db));
    this.#seen = lease;
    if (lease.setId !== '' && lease.setId !== instanceSetId) {
      const text =
        'the containers of this store run on another instance set: give this daemon the systemRootToken and the ' +
        'dispatchPrivateKey of the others, or a store of its own';
      this.#note(new QueueError('invalid', text));
      return 'alive';
    }
    this.#fault = undefined;
    if (lease.holder === '') return 'free';
    return lease.epoch === before?.epoch && lease.beat === before.beat ? 'silent' : 'alive';
  }

  async claim(): Promise<boolean> {
    const { db, name, url, instanceSetId, monotonicMs, log } = this.#options;
    const seen = this.#seen;
    if (!seen || (seen.setId !== '' && seen.setId !== instanceSetId)) return false;
    const askedAt = monotonicMs();
    const epoch = await guarded('the lease cannot be had', () =>
      claimLease(db, seen, { holder: name, url: url(), setId: instanceSetId }),
    );
    if (epoch === undefined) return false;
    this.#epoch = epoch;
    this.#heldUntil = askedAt + leaseMs;
    log.info({ component: 'leadership', epoch, before: seen.holder || undefined }, 'this daemon leads');
    return true;
  }

  async renew(): Promise<boolean> {
    const epoch = this.#epoch!;
    const askedAt = this.#options.monotonicMs();
    const isMine = await guarded('the lease cannot be renewed', () => renewLease(this.#options.db, epoch));
    if (!isMine || this.#epoch !== epoch) return false;
    this.#heldUntil = askedAt + leaseMs;
    this.#fault = undefined;
    return true;
  }

  reign(signal: AbortSignal): Promise<void> {
    const epoch = this.#epoch!;
    const mandate = this.#mandateOf(epoch);
    const reign = this.#reigning.then(() => this.#options.reign(epoch, mandate, signal));
    this.#reigning = reign.catch(() => {});
    return reign;
  }

  async resign(): Promise<void> {
    const epoch = this.#epoch;
    if (epoch === undefined) return;
    this.#end();
    await guarded('the lease cannot be given back', () => resignLease(this.#options.db, epoch));
  }

  noteFault(error: unknown): void {
    this.#note(error);
  }

  noteEnd(because: string): void {
    this.#options.log.warn(
      { component: 'leadership', epoch: this.#epoch, because },
      'this daemon leads no longer',
    );
    // Until the next look at the lease.
    this.#fault = because;
    this.#end();
  }

  /** Of one reign: a later one of the same daemon does not bring it back. */
  #mandateOf(epoch: number): Mandate {
    const assert = (): void => {
      if (this.#epoch !== epoch || !this.#holds()) throw new MandateError();
    };
    const confirm = async (): Promise<void> => {
      assert();
      const isLatest = await isLatestEpoch(this.#options.db, epoch).catch(() => false);
      if (!isLatest) throw new MandateError();
      assert();
    };
    return { confirm, assert };
  }

  #end(): void {
    this.#epoch = undefined;
    this.#heldUntil = -Infinity;
  }

  #holds(): boolean {
    return this.#epoch !== undefined && this.#options.monotonicMs() < this.#heldUntil;
  }

  #note(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    if (text !== this.#fault)
      this.#options.log.warn({ component: 'leadership', err: error }, 'the store is in trouble');
    this.#fault = text;
  }
}
