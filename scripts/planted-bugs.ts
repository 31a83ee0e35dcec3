// Mistakes put into the daemon on purpose, to see whether the simulation finds them. No setting reaches them.
import { workerMachine } from '../src/machines/worker.js';
import type { SimulateOptions } from '../src/simulation/simulate.js';

export const plantedBugs: Readonly<Record<string, () => Pick<SimulateOptions, 'worker' | 'isHeedless'>>> = {
  /** An instance on hold is destroyed like any other. */
  'hold-forgotten': () => ({ worker: workerMachine.provide({ guards: { isNotHeld: () => true } }) }),
  /** One failed probe is enough to give an instance up. */
  'hasty-with-silence': () => ({ worker: workerMachine.provide({ guards: { isUnresponsive: () => true } }) }),
  /** An instance that is to be drained stays. */
  'drain-ignored': () => ({ worker: workerMachine.provide({ guards: { isDraining: () => false } }) }),
  /** Orders are given without asking whether this daemon still leads. */
  'heedless-of-the-lead': () => ({ isHeedless: true }),
};
