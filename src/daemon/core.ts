import type { EventObject } from 'xstate';
import { Dispatch } from '../fleet/dispatcher.js';
import { Executors } from '../fleet/instance-executors.js';
import { HostKeys } from '../fleet/host-keys.js';
import type { QuotaBound } from '../fleet/quota-bound.js';
import type { VisitShortcut } from '../fleet/probe-scheduler.js';
import type { WorkerInspection, WorkerSnapshot } from '../fleet/worker-registry.js';
import type { RunnerProgram } from '../runner/program.js';
import { StartFailures } from '../fleet/start-failures.js';
import type { WorkerPool } from '../fleet/worker-pool.js';
import type { Config } from '../config/config.js';
import type { Clock } from '../domain/clock.js';
import { noConductStore, type ConductStore } from '../domain/conduct-view.js';
import { noHostKeyStore, type HostKeyStore } from '../domain/host-key.js';
import { tagKeys } from '../domain/instance.js';
import { soleMandate, type Mandate } from '../domain/leader-guard.js';
import { noSightings, type Sightings } from '../domain/sighting.js';
import type { Driver } from '../drivers/driver.js';
import type { Journal } from '../journal/journal.js';
import type { workerMachine } from '../machines/worker.js';
import type { Queue } from '../queue/queue.js';
import { recordedQueue } from '../queue/observed-queue.js';
import type { Reporter } from '../observability/reporter.js';
import type { ExecutorFactory } from '../ssh/executor.js';
import { assembleFleet } from './assemble-fleet.js';
import { hostKeyOrders, type HostKeyOrders } from './host-key-orders.js';
import { conductOf, quarantinedEvent, quarantineOrders, type QuarantineOrders } from './quarantine-orders.js';
import { queueSight } from './queue-sight.js';

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

/** Pool and dispatcher at work: the daemon without its store, its cloud and its API. */
export interface Core {
  pool: WorkerPool;
  dispatch: Dispatch;
  executors: Executors;
  quarantine: QuarantineOrders;
  hostKeys: HostKeyOrders;
  /** Ends probing, syncing, scheduling and connections; containers and instances live on. */
  stop(): void;
}

/** Starts the core. Rejects, with nothing started, when the journal cannot be read. */
export async function startCore(options: CoreOptions): Promise<Core> {
  const { config, clock, driver, reporter, runner, worker, mandate = soleMandate, watchSilenceMs } = options;
  const { clusterConfig = null } = options;
  const queue = recordedQueue(options.queue, reporter);
  const open = await options.journal.openIntents();
  const recorded = await options.journal.recordedIntents();
  const sightings = await (options.sightings ?? noSightings).load();
  const hostKeyStore = options.hostKeys ?? noHostKeyStore;
  const knownHostKeys = await hostKeyStore.load();
  const failures = new StartFailures(clock);
  const conductStore = options.conduct ?? noConductStore;
  const conduct = conductOf(options, {
    queue,
    store: conductStore,
    recorded: await conductStore.load(),
    onQuarantine: (instanceId, quarantine) => roster.send(instanceId, quarantinedEvent(quarantine)),
  });
  const executors = new Executors({
    driver,
    conduct,
    hostKeys: new HostKeys({
      clock,
      store: hostKeyStore,
      known: knownHostKeys,
      onChange: (change) => reporter.hostKeyChanged(change),
    }),
    tagKeys: tagKeys(config.pool.tagKeyPrefix),
    factory: options.executorFactory,
    onConnection: (instanceId, what) => {
      if (what !== 'lost') roster.send(instanceId, { type: `connection.${what}` });
    },
  });
  const { pool, roster, pacing } = assembleFleet(
    options,
    {
      config,
      clock,
      driver,
      executors,
      queue,
      runner,
      worker,
      mandate,
      clusterConfig,
      watchSilenceMs,
      failures,
    },
    { open, recorded, sightings },
  );
  const dispatch = new Dispatch({
    clock,
    queue,
    failures,
    pool,
    settings: config.scheduler,
    maxInstances: config.pool.maxInstances,
    upkeep: config.pool,
    conduct,
    typeNamed: (name) => config.instanceTypes.get(name),
    last503At: () => queue.last503At?.() ?? 0,
    observer: reporter,
  });
  reporter.watchQueue(() => {
    let running = 0;
    for (const { exitedAt } of pool.running().values()) if (exitedAt === undefined) running++;
    const [containers, instances, breakers] = [dispatch.containers(), pool.instances(), pool.breakers()];
    return queueSight({ containers, instances, breakers, running });
  });
  pool.start();
  dispatch.start();
  return {
    pool,
    dispatch,
    executors,
    quarantine: quarantineOrders({ config, driver, conduct, pool }),
    hostKeys: hostKeyOrders({ executors, pool, reporter }),
    stop: () => {
      dispatch.stop();
      pool.stop();
      pacing.stop();
    },
  };
}
