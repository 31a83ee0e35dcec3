import { idleBehaviors } from '../../../src/domain/instance.js';
import { workerMachine } from '../../../src/machines/worker.js';
import type { Subject } from '../exploring/world.js';
import { workerPairRules } from './pairs.js';
import { WorkerReference } from './reference.js';
import { workerScenarios } from './scenarios.js';
import type { WorkerOptions } from './settings.js';
import { WorkerModelWorld } from './world.js';

/** A worker with real containers on it. */
export const workerSubject: Subject<WorkerOptions> = {
  name: 'worker',
  machine: workerMachine,
  pairRules: workerPairRules,
  circumstances: { states: /lifecycle\..*/, values: idleBehaviors },
  scenarios: workerScenarios,
  world: (options, build) => new WorkerModelWorld(options, build),
  reference: (options) => new WorkerReference(options),
};
