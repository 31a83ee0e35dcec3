import type { Config } from '../../../src/config/config.js';
import type { Clock } from '../../../src/domain/clock.js';
import type { JournalEntry } from '../../../src/journal/journal.js';
import { Reporter } from '../../../src/observability/reporter.js';
import { createLog } from '../../../src/observability/log.js';
import { nameOf } from './words.js';

/** Entries that tell of the worker's life; others are for making its steps again. */
const told =
  /^(worker\.(appeared|transition|behavior|gone|broke)|boot\.outcome|container\.(started|startFailed|exited)|invariant.*)$/;

const pool = {
  tagKeyPrefix: 'Longshore',
  maxInstances: 0,
  maxConcurrentCreates: 0,
  maxCloudOpsPerSecond: 0,
  maxProbesPerSecond: 'auto',
  timeoutBootingMs: 1e9,
  timeoutIdleMs: 1e9,
  timeoutProbeMs: 1e9,
  timeoutShutdownMs: 1e9,
} as unknown as Config['pool'];

/** The daemon's reporter; what it writes down and counts is told as records. */
export function recordingReporter(clock: Clock, note: (record: string) => void): Reporter {
  const metric = (name: string) => (value: number | string, more?: boolean) =>
    note(`metric ${name} ${value}${more === undefined ? '' : ` ${more}`}`);
  return new Reporter({
    config: { pool },
    clock,
    log: createLog('silent'),
    journal: { append: (entry) => (told.test(entry.kind) ? note(describeEntry(entry)) : undefined) },
    metrics: {
      bootDecided: metric('boot'),
      disappeared: metric('disappeared'),
      timeToSsh: metric('ssh'),
      timeToReady: metric('ready'),
      shutdownToGone: metric('shutdown-to-gone'),
      queueToStart: metric('queue-to-start'),
      startFailed: metric('failed-start'),
      runProbe: metric('run-probe'),
      driverOperation: metric('driver-operation') as never,
      invariantViolated: metric('violated'),
      attemptEnded: metric('attemptEnded'),
      claimRefused: metric('claimRefused'),
      struck: metric('struck'),
      hostKeyChanged: metric('hostKeyChanged'),
      passFailed: (error) => note(`metric passFailed ${String(error)}`),
    },
  });
}

/** What a journal entry says; of causes only those that are decisions, of the others that there is one. */
function describeEntry({ kind, from, to, because, container, at }: JournalEntry): string {
  const needsCause = kind === 'worker.transition' || kind === 'worker.behavior';
  const isDecision =
    kind === 'worker.behavior' || kind === 'container.exited' || to === 'shutdown.destroying';
  return [
    `journal ${kind}`,
    ...(from === undefined && to === undefined ? [] : [`${from ?? ''}>${to ?? ''}`]),
    ...(container === undefined ? [] : [nameOf(container)]),
    `at ${at}${isDecision ? ` because ${because}` : ''}${needsCause && !because ? ' WITHOUT A CAUSE' : ''}`,
  ].join(' ');
}
