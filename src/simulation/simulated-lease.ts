import { MandateError, type Mandate } from '../domain/leader-guard.js';
import type { Lifeline } from './simulated-process.js';

/** How long after its last sign of life a leader gives no order any more, and another takes its place. */
const leaseMs = 5_000;
const takeOverMs = 6_500;
/** A leader finds out within so long, once it goes on, whether it still leads. */
const beatMs = 1_000;

/** The store's row of who leads, as the daemon processes of a simulation see it. */
export class SimulatedLease {
  /** Of the latest leader. */
  epoch = 0;
}

export interface LeaseHoldOptions {
  lease: SimulatedLease;
  lifeline: Lifeline;
  /** Another process is to take the lead. */
  takeOver(): void;
  /** This process found out that it leads no longer. */
  lost(): void;
  /** Calls back after so many ms of true time, whatever the process does. */
  after(ms: number, callback: () => void): void;
}

/** One process's hold of the lease: signs of life are given without a word, as long as it does not stand still. */
export class LeaseHold implements Mandate {
  readonly epoch: number;
  readonly #options: LeaseHoldOptions;
  #heldUntil = Infinity;
  #stops = 0;

  constructor(options: LeaseHoldOptions) {
    this.#options = options;
    this.epoch = ++options.lease.epoch;
  }

  get isLatest(): boolean {
    return this.#options.lease.epoch === this.epoch;
  }

  /** The process stands still for so long: then it goes on, and finds out. */
  stopFor(ms: number): void {
    const { lifeline, after, takeOver, lost } = this.#options;
    const stop = ++this.#stops;
    const stillSo = (callback: () => void) => (): void => {
      if (stop === this.#stops && !lifeline.isCut) callback();
    };
    this.#heldUntil = lifeline.now() + leaseMs - beatMs;
    if (ms > takeOverMs) after(takeOverMs, stillSo(takeOver));
    after(ms, () => lifeline.thaw());
    const findsOut = stillSo(() => {
      if (this.isLatest) this.#heldUntil = Infinity;
      else lost();
    });
    after(ms + beatMs, findsOut);
  }

  async confirm(): Promise<void> {
    this.assert();
    if (!(await this.#options.lifeline.call(() => Promise.resolve(this.isLatest)))) throw new MandateError();
    this.assert();
  }

  assert(): void {
    if (this.#options.lifeline.now() >= this.#heldUntil) throw new MandateError();
  }
}
