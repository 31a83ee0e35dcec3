import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { RunnerProgram } from '../runner/program.js';
import type { WorkerPool } from '../fleet/worker-pool.js';
import type { ApiDeps } from '../api/deps.js';
import { fleetSummary } from '../api/fleet-summary.js';
import { startApi } from '../api/server.js';
import { startCore } from './core.js';
import { announced, assembleLive } from './live-updates.js';
import { apiDeps, conductWith } from './api-deps.js';
import { openController } from './open-controller.js';
import { Orders } from './leader-session.js';
import { sshExecutors } from './ssh-executors.js';
import { storedDriverRecord } from './driver-record.js';
import { openStorage, type Storage } from './open-storage.js';
import { clusterDatabase, readClusterConfig } from '../config/cluster-files.js';
import type { Config } from '../config/config.js';
import { driverSecretsOf } from '../config/driver-secrets.js';
import type { Clock } from '../domain/clock.js';
import { instanceSetIdOf } from '../domain/ids.js';
import type { Mandate } from '../domain/leader-guard.js';
import type { Role } from '../domain/leadership-role.js';
import type { Driver } from '../drivers/driver.js';
import type { DriverRecord } from '../drivers/driver-record.js';
import { openDriver } from '../drivers/registry.js';
import { ProviderBreakers } from '../fleet/provider-breakers.js';
import { withMandate } from '../drivers/wrappers/leader-guard.js';
import { wrapDriver } from '../drivers/wrappers/wrap.js';
import type { Journal } from '../journal/journal.js';
import { Metrics } from '../observability/metrics.js';
import type { StoreHealth } from '../queue/store/store-health.js';
import { Reporter } from '../observability/reporter.js';
import type { InspectChoice } from '../inspector/inspect-choice.js';
import type { LiveInspector } from '../inspector/live-inspector.js';
import type { ExecutorFactory } from '../ssh/executor.js';
import { publicKeyOf } from '../ssh/keys.js';
import { version } from './version.js';
import type { QueueSnapshot } from '../domain/queue-entry.js';

export interface ComposeOptions {
  config: Config;
  clock: Clock;
  log: Logger;
  /** Replaces the configured driver; not wrapped yet. */
  driver?: Driver;
  /** Replaces SSH. */
  executorFactory?: ExecutorFactory;
  /** Workers to show in the Stately inspector. Missing: none, and the inspector is not loaded. */
  inspect?: InspectChoice;
}

/** A running daemon. */
export interface Daemon extends Storage {
  /** Address of the API. */
  url: string;
  /** Address for viewers of the inspector; `undefined` without inspector. */
  inspectorUrl: string | undefined;
  /** Throws, naming the leader, while another daemon of the store leads. */
  pool: WorkerPool;
  role(): Role;
  /** Stops accepting work and closes connections; containers and instances continue. */
  stop(): Promise<void>;
}

/** Composes the daemon and starts it. Rejects with everything released when a part cannot start. */
export async function compose(options: ComposeOptions): Promise<Daemon> {
  const { config, clock, log } = options;
  const releases: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const release of releases.splice(0).reverse()) await release();
  };
  try {
    return { ...(await start(options, releases)), stop };
  } catch (error) {
    await stop();
    log.debug({ component: 'compose', at: clock.now(), driver: config.driver }, 'start failed');
    throw error;
  }
}

async function start(
  options: ComposeOptions,
  releases: (() => Promise<void> | void)[],
): Promise<Omit<Daemon, 'stop'>> {
  const { config, clock, log } = options;
  for (const warning of config.warnings) log.warn({ component: 'config', warning }, 'configuration');
  let url = '';
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  const storage = await openStorage(config, options, releases);
  const { store, journal } = storage;
  const clusterConfig = readClusterConfig(config);
  const controller = openController(config, { clock, log, orders: () => orders });
  if (controller) releases.push(() => controller.stop());
  const containers = controller ?? store;
  const metrics: Metrics = metricsOf(options, {
    containers,
    journal,
    orders: () => orders,
    storeHealth: storage.health,
    hasDispatchFault: () => orders.isLeading && reporter.dispatchFault() !== undefined,
  });
  const live = assembleLive({
    clock,
    core: () => orders.core,
    conduct: (instanceId) => conductWith(orders, journal)(instanceId),
    summary: () => fleetSummary(deps),
  });
  releases.push(() => live.feed.stop());
  const reporter: Reporter = new Reporter({
    config,
    clock,
    log,
    journal: announced(journal, live.note),
    metrics,
    hasRun: controller && ((uuid) => ['Running', 'Complete'].includes(controller.get(uuid)?.state ?? '')),
  });
  const instanceSetId = instanceSetIdOf(config.systemRootToken);
  const breakers = new ProviderBreakers({ clock, trialTimeoutMs: config.pool.cloudCallTimeoutMs });
  const executorFactory = options.executorFactory ?? sshExecutors(config, clock);
  const runner = new RunnerProgram(config.runner);
  // The health of the runner program reports why it cannot be read, and reading is retried.
  if (runner.isDeployed) await runner.load().catch(() => {});
  const inspector = await openInspector(options, releases);
  const orders: Orders = new Orders({
    config,
    clock,
    log,
    storage,
    instanceSetId,
    lockDatabase: clusterDatabase(config),
    url: () => url,
    begin: async (mandate) => {
      const record = storedDriverRecord(storage.db, config.driver);
      const parts = { instanceSetId, reporter, breakers, metrics, executorFactory, mandate, record };
      const driver = await openCloud(options, parts);
      controller?.lead(mandate);
      try {
        const core = await startCore({
          config,
          clock,
          random: Math.random,
          newSecret: () => randomBytes(20).toString('hex'),
          driver,
          executorFactory,
          queue: containers,
          journal,
          sightings: storage.sightings,
          hostKeys: storage.hostKeys,
          conduct: storage.conduct,
          reporter,
          runner,
          mandate,
          instanceSetId,
          publicKey: config.pool.deployPublicKey ? publicKeyOf(config.dispatchPrivateKey) : undefined,
          clusterConfig,
          onWorkerStep: live.step,
          inspection: inspector?.observerOf,
        });
        return {
          core,
          stop: () => {
            core.stop();
            controller?.standBy();
            return driver.stop();
          },
        };
      } catch (error) {
        controller?.standBy();
        await driver.stop();
        throw error;
      }
    },
  });
  await orders.start();
  releases.push(() => orders.stop());
  const deps: ApiDeps = apiDeps({
    config,
    clock,
    log,
    store: containers,
    journal,
    sessions: storage.sessions,
    orders,
    metrics,
    reporter,
    runner,
    live,
    breakers,
    storeHealth: storage.health,
  });
  const api = await startApi(deps, config.api);
  url = api.url;
  releases.push(() => api.close());
  const addressFile = join(config.stateDir, 'api-address');
  writeFileSync(addressFile, `${api.url}\n`, { mode: 0o600 });
  releases.push(() => rmSync(addressFile, { force: true }));
  log.info({ component: 'api', url: api.url, version }, 'in service');
  orders.seekLead();
  const inspectorUrl = inspector?.url;
  return { url: api.url, inspectorUrl, pool: orders.core.pool, store, journal, role: () => orders.role() };
}

/** Loaded only with --inspect. */
async function openInspector(
  { config, log, inspect }: ComposeOptions,
  releases: (() => Promise<void> | void)[],
): Promise<LiveInspector | undefined> {
  if (!inspect) return undefined;
  const { startLiveInspector } = await import('../inspector/live-inspector.js');
  const fields = { component: 'inspector' };
  const inspector = await startLiveInspector({
    choice: inspect,
    port: config.api.inspectPort,
    secrets: [
      config.managementToken,
      config.systemRootToken,
      config.storePassword,
      config.controllerDatabasePassword,
      config.dispatchPrivateKey,
      ...driverSecretsOf(config),
    ],
    warn: (what) => log.warn(fields, what),
  });
  releases.push(() => inspector.close());
  log.info({ ...fields, url: inspector.url, inspect }, 'open this address to inspect the chosen workers');
  return inspector;
}

const idleFigures = {
  allocatedNotStarted: 0,
  overQuota: 0,
  longestWaitSeconds: 0,
  last503Seconds: 0,
  maxContainers: 0,
};

/** Registers metrics that read the running parts at each scrape. */
function metricsOf(
  { config, clock }: ComposeOptions,
  {
    containers,
    journal,
    orders,
    storeHealth,
    hasDispatchFault,
  }: {
    containers: { peek(): QueueSnapshot };
    journal: Pick<Journal, 'state'>;
    orders: () => Orders;
    storeHealth: StoreHealth;
    hasDispatchFault: () => boolean;
  },
): Metrics {
  const core = () => (orders().isLeading ? orders().core : undefined);
  return new Metrics({
    clock,
    role: () => orders().role(),
    journal: () => journal.state(),
    store: () => ({ isDamaged: storeHealth.fault() !== undefined, errors: storeHealth.errors }),
    hasDispatchFault,
    workers: () => core()?.pool.gauges() ?? [],
    isQuarantined: (id) => core()?.quarantine.conduct(id)?.quarantine !== undefined,
    atQuota: () => core()?.pool.atQuota() ?? false,
    typeNames: () => [...config.instanceTypes.keys()],
    *queueEntries() {
      for (const { container, instanceTypes } of containers.peek().entries.values()) {
        yield { state: container.state, instanceType: instanceTypes[0]?.name ?? '' };
      }
    },
    schedule: () => core()?.dispatch.figures() ?? idleFigures,
  });
}

interface CloudParts {
  instanceSetId: string;
  reporter: Reporter;
  breakers: ProviderBreakers;
  metrics: Metrics;
  executorFactory: ExecutorFactory;
  mandate: Mandate;
  record: DriverRecord;
}

async function openCloud(
  { config, clock, log, driver: given }: ComposeOptions,
  { instanceSetId, reporter, breakers, metrics, executorFactory, mandate, record }: CloudParts,
): Promise<Driver> {
  const secrets = driverSecretsOf(config);
  const driver =
    given ??
    (await openDriver(config.driver, {
      parameters: config.driverParameters,
      instanceSetId,
      stateDir: config.stateDir,
      folder: config.folder,
      secrets,
      clock,
      random: Math.random,
      resourceTags: config.pool.resourceTags,
      registry: metrics.registry,
      executors: executorFactory,
      record,
      warn: (message, fields) => log.warn({ component: 'driver', ...fields }, message),
    }));
  return wrapDriver(withMandate(driver, mandate), {
    clock,
    resourceTags: config.pool.resourceTags,
    opsPerSecond: config.pool.maxCloudOpsPerSecond,
    timeoutMs: config.pool.cloudCallTimeoutMs,
    secrets,
    breakers,
    observe: (call) => reporter.driverCall(call),
  });
}
