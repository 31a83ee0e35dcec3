// Mistakes put into the worker's chart on purpose, to see whether the simulation finds them. No setting reaches them.
import { workerMachine } from '../src/machines/worker.js';

type Worker = typeof workerMachine;

export const plantedBugs: Readonly<Record<string, () => Worker>> = {
  /** An instance on hold is destroyed like any other. */
  'hold-forgotten': () => workerMachine.provide({ guards: { isNotHeld: () => true } }),
  /** One failed probe is enough to give an instance up. */
  'hasty-with-silence': () => workerMachine.provide({ guards: { isUnresponsive: () => true } }),
  /** An instance that is to be drained stays. */
  'drain-ignored': () => workerMachine.provide({ guards: { isDraining: () => false } }),
};
