import { Conduct } from '../fleet/conduct.js';
import { Dispatch } from '../fleet/dispatcher.js';
import { Executors } from '../fleet/instance-executors.js';
import { HostKeys } from '../fleet/host-keys.js';
import { StartFailures } from '../fleet/start-failures.js';
import type { WorkerPool } from '../fleet/worker-pool.js';
import type { ConductView } from '../domain/conduct-view.js';
import { noHostKeyStore } from '../domain/host-key.js';
import { tagKeys, type Quarantine } from '../domain/instance.js';
import { soleMandate } from '../domain/leader-guard.js';
import { noSightings } from '../domain/sighting.js';
import type { Queue } from '../queue/queue.js';
import { recordedQueue } from '../queue/observed-queue.js';
import { assembleFleet } from './assemble-fleet.js';
import { hostKeyOrders, type HostKeyOrders } from './host-key-orders.js';
import { queueSight } from './queue-sight.js';
import type { CoreOptions } from './core-options.js';

/** Pool and dispatcher: the daemon without store, provider and API. */
export interface Core {
  pool: WorkerPool;
  dispatch: Dispatch;
  executors: Executors;
  quarantine: {
    /** As `clearQuarantine` of a driver. one that is drained for what it did is put back into use. */
    clear(instanceId: string, force: boolean): Promise<boolean>;
    /** Returns counts of the instance's violations; `undefined`: none known. */
    conduct(instanceId: string): ConductView | undefined;
    /** Returns the number of instances quarantined for their behaviour. */
    count(): number;
  };
  hostKeys: HostKeyOrders;
  /** Stops probing, listing, scheduling and connections; containers and instances continue. */
  stop(): void;
}

/** Judges violations of instances by the places of containers in the queue. */
function conductOf(
  { clock, reporter }: CoreOptions,
  queue: Queue,
  onQuarantine: (instanceId: string, quarantine: Quarantine) => void,
): Conduct {
  const conduct = new Conduct({
    clock,
    isGiven: (uuid, instanceId) => {
      const { state, instanceId: place } = queue.get(uuid) ?? {};
      const isOut = state === 'Locked' || state === 'Running';
      return isOut && (place === undefined || place === '' || place === instanceId);
    },
    knowsQueue: () => queue.entries().threshold > 0,
    onStrike: (strike) => reporter.struck(strike),
    onQuarantine: (instanceId, quarantine) => {
      reporter.quarantined(instanceId, quarantine);
      onQuarantine(instanceId, quarantine);
    },
  });
  reporter.onClaimRefused((claim) => conduct.claimed(claim));
  return conduct;
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
  const conduct = conductOf(options, queue, (instanceId, { because }) =>
    roster.send(instanceId, { type: 'node.broken', because: `quarantined: ${because}` }),
  );
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
    quarantine: {
      clear: async (instanceId, force) => {
        const signal = AbortSignal.timeout(config.pool.cloudCallTimeoutMs);
        const byDriver = (await driver.clearQuarantine?.(instanceId, { signal, force })) ?? false;
        const isCleared = conduct.clear(instanceId);
        if (isCleared && pool.instance(instanceId)?.idleBehavior === 'drain')
          pool.setIdleBehavior(instanceId, 'run', 'its quarantine was cleared');
        return byDriver || isCleared;
      },
      conduct: (instanceId) => conduct.view(instanceId),
      count: () => conduct.quarantined,
    },
    hostKeys: hostKeyOrders({ executors, pool, reporter }),
    stop: () => {
      dispatch.stop();
      pool.stop();
      pacing.stop();
    },
  };
}
