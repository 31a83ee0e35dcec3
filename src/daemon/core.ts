import { Dispatch } from '../fleet/dispatcher.js';
import { Executors } from '../fleet/instance-executors.js';
import { HostKeys } from '../fleet/host-keys.js';
import { StartFailures } from '../fleet/start-failures.js';
import type { WorkerPool } from '../fleet/worker-pool.js';
import { noConductStore } from '../domain/conduct-view.js';
import { noHostKeyStore } from '../domain/host-key.js';
import { tagKeys } from '../domain/instance.js';
import { soleMandate } from '../domain/leader-guard.js';
import { noSightings } from '../domain/sighting.js';
import { recordedQueue } from '../queue/observed-queue.js';
import { assembleFleet } from './assemble-fleet.js';
import { hostKeyOrders, type HostKeyOrders } from './host-key-orders.js';
import { conductOf, quarantinedEvent, quarantineOrders, type QuarantineOrders } from './quarantine-orders.js';
import { queueSight } from './queue-sight.js';
import type { CoreOptions } from './core-options.js';

/** Pool and dispatcher: the daemon without store, provider and API. */
export interface Core {
  pool: WorkerPool;
  dispatch: Dispatch;
  executors: Executors;
  quarantine: QuarantineOrders;
  hostKeys: HostKeyOrders;
  /** Stops probing, listing, scheduling and connections; containers and instances continue. */
  stop(): void;
}

/** Starts the core. Rejects without having started anything when the journal cannot be read. */
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
    quarantine: quarantineOrders({
      cloudCallTimeoutMs: config.pool.cloudCallTimeoutMs,
      driver,
      conduct,
      pool,
    }),
    hostKeys: hostKeyOrders({ executors, pool, reporter }),
    stop: () => {
      dispatch.stop();
      pool.stop();
      pacing.stop();
    },
  };
}
