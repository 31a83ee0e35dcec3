// Mistakes put into the daemon on purpose, to see whether the simulation finds them. No setting reaches them.
import { QuotaBound } from '../src/actors/quota-bound.js';
import { workerMachine } from '../src/machines/worker.js';
import type { SimulateOptions } from '../src/simulation/simulate.js';

/** A create call that is accepted after another was refused takes the bound away that would lift the hold. */
class ForgetfulBound extends QuotaBound {
  override accepted(): void {
    this.clear();
  }
}

type Planted = Pick<SimulateOptions, 'worker' | 'isHeedless' | 'quotaBound'>;

export const plantedBugs: Readonly<Record<string, () => Planted>> = {
  /** An instance on hold is destroyed like any other. */
  'hold-forgotten': () => ({ worker: workerMachine.provide({ guards: { isNotHeld: () => true } }) }),
  /** One failed probe is enough to give an instance up. */
  'hasty-with-silence': () => ({ worker: workerMachine.provide({ guards: { isUnresponsive: () => true } }) }),
  /** An instance that is to be drained stays. */
  'drain-ignored': () => ({ worker: workerMachine.provide({ guards: { isDraining: () => false } }) }),
  /** Orders are given without asking whether this daemon still leads. */
  'heedless-of-the-lead': () => ({ isHeedless: true }),
  /** The fleet does not grow for long after a quota error while several create calls were under way. */
  'late-create': () => ({ quotaBound: () => new ForgetfulBound() }),
};
