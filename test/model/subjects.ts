import { connectionSubject } from './connection/subject.js';
import { dispatcherSubject } from './dispatcher/subject.js';
import type { Subject } from './exploring/world.js';
import { circuitBreakerSubject } from './circuit-breaker/subject.js';
import { launchSubject } from './launch/subject.js';
import { runnerSubject } from './runner/subject.js';
import { supervisorSubject } from './supervisor/subject.js';
import { workerSubject } from './worker/subject.js';

/** Every machine of the daemon with its world and its reference. A subject makes its worlds from its own options only. */
export const subjects = [
  workerSubject,
  runnerSubject,
  supervisorSubject,
  launchSubject,
  connectionSubject,
  dispatcherSubject,
  circuitBreakerSubject,
] as unknown as readonly Subject[];
