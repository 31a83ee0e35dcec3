import type { Config } from '../config/config.js';
import type { Clock } from '../domain/clock.js';
import type { Driver } from '../drivers/driver.js';
import type { ExecutorFactory } from '../ssh/executor.js';
import type { Queue } from '../queue/queue.js';
import type { Journal } from '../journal/journal.js';
import type { Sightings } from '../domain/sighting.js';
import type { ConductStore } from '../domain/conduct-view.js';
import type { HostKeyStore } from '../domain/host-key.js';
import type { Reporter } from '../observability/reporter.js';
import type { RunnerProgram } from '../runner/program.js';
import type { Mandate } from '../domain/leader-guard.js';
import type { EventObject } from 'xstate';
import type { WorkerInspection } from '../fleet/worker-registry.js';
import type { workerMachine, WorkerSnapshot } from '../machines/worker.js';
import type { QuotaBound } from '../fleet/quota-bound.js';
import type { VisitShortcut } from '../fleet/probe-scheduler.js';

/** The edges that the core works between. The daemon gives real ones, a simulation its own. */
export interface CoreOptions {
  config: Config;
  clock: Clock;
  /** 0 to below 1. */
  random(): number;
  /** Forty hex digits. */
  newSecret(): string;
  /** With its wrappers. */
  driver: Driver;
  executorFactory: ExecutorFactory;
  queue: Queue;
  journal: Pick<Journal, 'openIntents' | 'recordedIntents' | 'recordIntent' | 'settleIntent'>;
  /** Default: nothing is remembered from one daemon to the next. */
  sightings?: Sightings;
  /** Default: likewise. */
  hostKeys?: HostKeyStore;
  /** Default: likewise. */
  conduct?: ConductStore;
  reporter: Reporter;
  runner: RunnerProgram;
  /** Default: this daemon shares its store with no other. */
  mandate?: Mandate;
  instanceSetId: string;
  /** Of the dispatch key, in OpenSSH form, when instances are to get it from the cloud. */
  publicKey: string | undefined;
  /** Of the cluster, for runners with a storage client of their own; not given: they get none. */
  clusterConfig?: unknown;
  /** Told of each event a worker took, with the snapshots around it. Must not throw. */
  onWorkerStep?(event: EventObject, before: WorkerSnapshot, after: WorkerSnapshot): void;
  /** Not given: no worker is inspected. */
  inspection?: WorkerInspection | undefined;
  /** In place of the worker's chart: a changed one shows whether a check finds the change. */
  worker?: typeof workerMachine;
  /** In place of the bound of the quota's hold: likewise. */
  quotaBound?: QuotaBound | undefined;
  /** Default: every visit is made. */
  shortcut?: VisitShortcut | undefined;
  /** So long a watch may say nothing; default: three beats of the runner program's. */
  watchSilenceMs?: number | undefined;
}
