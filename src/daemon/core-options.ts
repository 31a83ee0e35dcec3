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

/** The edges of the core: real ones in the daemon, simulated ones in the simulation. */
export interface CoreOptions {
  config: Config;
  clock: Clock;
  /** From 0 to below 1. */
  random(): number;
  /** Forty hex digits. */
  newSecret(): string;
  /** Wrapped. */
  driver: Driver;
  executorFactory: ExecutorFactory;
  queue: Queue;
  journal: Pick<Journal, 'openIntents' | 'recordedIntents' | 'recordIntent' | 'settleIntent'>;
  /** Default: nothing is kept for the next daemon. */
  sightings?: Sightings;
  /** Default: the same. */
  hostKeys?: HostKeyStore;
  /** Default: likewise. */
  conduct?: ConductStore;
  reporter: Reporter;
  runner: RunnerProgram;
  /** Default: this daemon does not share its store. */
  mandate?: Mandate;
  instanceSetId: string;
  /** Public part of the dispatch key in OpenSSH form, if the provider installs it. */
  publicKey: string | undefined;
  /** Configuration of the cluster, for runners with their own storage client; missing: none. */
  clusterConfig?: unknown;
  /** Called for each event of a worker, with the snapshots around it. Must not throw. */
  onWorkerStep?(event: EventObject, before: WorkerSnapshot, after: WorkerSnapshot): void;
  /** Missing: no worker is inspected. */
  inspection?: WorkerInspection | undefined;
  /** Replaces the worker machine: a planted bug shows whether a check detects it. */
  worker?: typeof workerMachine;
  /** Replaces the bound of the quota breaker: the same purpose. */
  quotaBound?: QuotaBound | undefined;
  /** Default: no probe round is skipped. */
  shortcut?: VisitShortcut | undefined;
  /** Maximum silence of a watch channel; default: three heartbeats of the runner program. */
  watchSilenceMs?: number | undefined;
}
