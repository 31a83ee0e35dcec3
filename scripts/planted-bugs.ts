// Mistakes put into the daemon on purpose, to see whether the simulation finds them. No setting reaches them.
import { QuotaBound } from '../src/fleet/quota-bound.js';
import { workerMachine } from '../src/machines/worker.js';
import { completeRow } from '../src/queue/store/container-transitions.js';
import type { SimulateOptions } from '../src/simulation/simulate.js';

/** A create call that is accepted after another was refused takes the bound away that would lift the hold. */
class ForgetfulBound extends QuotaBound {
  override accepted(): void {
    this.clear();
  }
}

type Planted = Pick<SimulateOptions, 'worker' | 'isHeedless' | 'quotaBound' | 'completeRow'>;

/** Tells of an attempt that is tried again as of the end of its container. */
const falselyComplete: typeof completeRow = (...report) => {
  const { change, verdict } = completeRow(...report);
  return { change, verdict: verdict.kind === 'taken' ? { ...verdict, state: 'Complete' } : verdict };
};

/** Takes whatever comes for the result of the attempt that the row is in. */
const credulous: typeof completeRow = (row, result, origin, now) => {
  const current = { ...origin, instanceId: row.attempt_instance, attempt: row.attempts };
  return completeRow(row, result, current, now);
};

export const plantedBugs: Readonly<Record<string, () => Planted>> = {
  /** An instance on hold is destroyed like any other. */
  'hold-forgotten': () => ({ worker: workerMachine.provide({ guards: { isNotHeld: () => true } }) }),
  /** One failed probe is enough to give an instance up. */
  'hasty-with-silence': () => ({ worker: workerMachine.provide({ guards: { isUnresponsive: () => true } }) }),
  /** An instance that is to be drained stays. */
  'drain-ignored': () => ({ worker: workerMachine.provide({ guards: { isDraining: () => false } }) }),
  /** Orders are given without asking whether this daemon still leads. */
  'heedless-of-the-lead': () => ({ isHeedless: true }),
  /** Journal and monitor hear that a container is complete whose attempt ended and which is tried again. */
  'false-complete': () => ({ completeRow: falselyComplete }),
  /** The result of an earlier attempt completes the one that is under way. */
  'stale-result': () => ({ completeRow: credulous }),
  /** The fleet does not grow for long after a quota error while several create calls were under way. */
  'late-create': () => ({ quotaBound: () => new ForgetfulBound() }),
};
