// Mistakes put into the worker's chart on purpose, to see whether the simulation finds them. No setting reaches them.
import { workerMachine } from '../src/machines/worker.js';

type Worker = typeof workerMachine;

export const plantedBugs: Readonly<Record<string, () => Worker>> = {
  /** An instance on hold is destroyed like any other. */
  'hold-forgotten': () => workerMachine.provide({ guards: { isNotHeld: () => true } }),
  /** A probe that was overtaken by a start is believed, so that the new container counts as gone. */
  'overtaken-probe-believed': () => workerMachine.provide({ guards: { roundWasOvertaken: () => false } }),
  /** Containers are put on instances that drain or are on hold. */
  'drain-ignored': () => workerMachine.provide({ guards: { acceptsContainers: () => true } }),
  /** One failed probe is enough to give an instance up. */
  'hasty-with-silence': () => workerMachine.provide({ guards: { isUnresponsive: () => true } }),
};
