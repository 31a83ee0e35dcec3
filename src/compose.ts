import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { fromPromise } from 'xstate';
import { bootProbeWith } from './actors/boot-probe.js';
import { collectResultWith } from './actors/collect-result.js';
import { copyRunnerWith } from './actors/copy-runner.js';
import { CreateLimits } from './actors/create-limits.js';
import { createInstanceWith } from './actors/create-instance.js';
import { destroyInstanceWith } from './actors/destroy-instance.js';
import { Dispatch } from './actors/dispatch.js';
import { Executors } from './actors/executors.js';
import { killContainerWith } from './actors/kill-container.js';
import { listInstancesWith } from './actors/list-instances.js';
import { observed } from './actors/observed.js';
import { workerStateOf } from './actors/pool-views.js';
import { ProbePacing } from './actors/probe-pacing.js';
import { WorkerRoster, type WorkerSnapshot } from './actors/roster.js';
import { runProbeWith } from './actors/run-probe.js';
import { asRoot, uuidWord } from './actors/remote-command.js';
import { RunnerProgram } from './actors/runner-program.js';
import { saveTagsWith } from './actors/save-tags.js';
import { startContainerWith } from './actors/start-container.js';
import { watchWith } from './actors/watch.js';
import { WorkerPool } from './actors/worker-pool.js';
import type { ApiDeps } from './api/deps.js';
import { startApi } from './api/server.js';
import type { Config } from './config/config.js';
import type { Clock } from './domain/clock.js';
import { instanceSetIdOf, secretFingerprint } from './domain/ids.js';
import { tagKeys } from './domain/instance.js';
import { unknownInstanceType } from './domain/instance-type.js';
import type { Driver } from './drivers/driver.js';
import { openDriver } from './drivers/registry.js';
import { wrapDriver } from './drivers/wrappers/wrap.js';
import { explain } from './explain.js';
import { StoreJournal } from './journal/store-journal.js';
import type { LaunchRequest } from './machines/cloud-effects.js';
import { launchMachine } from './machines/launch.js';
import { runnerMachine } from './machines/runner.js';
import { supervisorMachine } from './machines/supervisor.js';
import type { WorkerFact, WorkerSettings } from './machines/worker-model.js';
import { workerMachine } from './machines/worker.js';
import { Metrics } from './metrics/metrics.js';
import { Reporter } from './reporter.js';
import { sizeContainer } from './policy/choose-types.js';
import { openDatabase } from './queue/store/database.js';
import { SqlContainerStore } from './queue/store/sql-container-store.js';
import { lockStore } from './queue/store/store-lock.js';
import type { ExecutorFactory } from './ssh/executor.js';
import { publicKeyOf } from './ssh/keys.js';
import { Slots } from './ssh/slots.js';
import { createExecutorFactory } from './ssh/ssh-executor.js';
import { version } from './version.js';

export interface ComposeOptions {
  config: Config;
  clock: Clock;
  log: Logger;
  /** In place of the configured one, unwrapped. */
  driver?: Driver;
  /** In place of SSH. */
  executorFactory?: ExecutorFactory;
}

/** A daemon in service. */
export interface Daemon {
  /** Where the API listens. */
  url: string;
  pool: WorkerPool;
  store: SqlContainerStore;
  journal: StoreJournal;
  /** Takes no more work, closes connections, leaves containers and instances as they are. */
  stop(): Promise<void>;
}

const connectTimeoutMs = 20_000;
const journalFlushMs = 50;
const longestJournal = 1_000_000;
/** Three beats of the runner program's watch. */
const watchSilenceMs = 45_000;

/** Puts the daemon together and starts it. Rejects, with everything released, when a part cannot start. */
export async function compose(options: ComposeOptions): Promise<Daemon> {
  const { config, clock, log } = options;
  const releases: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const release of releases.splice(0).reverse()) await release();
  };
  try {
    return await start(options, releases, stop);
  } catch (error) {
    await stop();
    log.debug({ component: 'compose', at: clock.now(), driver: config.driver }, 'start failed');
    throw error;
  }
}

async function start(
  { config, clock, log, driver: givenDriver, executorFactory }: ComposeOptions,
  releases: (() => Promise<void> | void)[],
  stop: () => Promise<void>,
): Promise<Daemon> {
  const { pool: settings } = config;
  mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
  releases.push(lockStore(config.store));
  const db = await openDatabase(config.store);
  releases.push(() => db.destroy());
  const journal = new StoreJournal({
    db,
    clock,
    flushMs: journalFlushMs,
    maxEntries: longestJournal,
    onFault: (err, dropped) => log.error({ component: 'journal', err, dropped }, 'journal entries were lost'),
  });
  releases.push(() => journal.flush());
  const store = new SqlContainerStore({
    db,
    clock,
    clusterId: config.clusterId,
    randomBytes: () => randomBytes(15),
    size: (container) =>
      sizeContainer(container, config.instanceTypes.values(), {
        maximumPriceFactor: config.scheduler.maximumPriceFactor,
        reserveExtraRamBytes: config.scheduler.reserveExtraRamBytes,
        localKeepBlobBuffersPerVcpu: config.scheduler.localKeepBlobBuffersPerVcpu,
      }),
    maxDispatchAttempts: config.scheduler.maxDispatchAttempts,
    onFault: (uuid, err) =>
      log.error({ component: 'store', containerId: uuid, err }, 'container record cannot be read'),
  });
  releases.push(() => store.stop());

  const metrics: Metrics = new Metrics({
    clock,
    workers: () => pool.gauges(),
    atQuota: () => pool.atQuota(),
    typeNames: () => [...config.instanceTypes.keys()],
    *queueEntries() {
      for (const { container, instanceTypes } of store.entries().entries.values()) {
        yield { state: container.state, instanceType: instanceTypes[0]?.name ?? '' };
      }
    },
    schedule: () => dispatch.figures(),
  });
  const reporter = new Reporter({ clock, log, journal, metrics });
  const keys = tagKeys(settings.tagKeyPrefix);
  const instanceSetId = instanceSetIdOf(config.systemRootToken);
  const rawDriver =
    givenDriver ??
    (await openDriver(config.driver, {
      parameters: config.driverParameters,
      instanceSetId,
      stateDir: config.stateDir,
      clock,
      random: Math.random,
    }));
  releases.push(() => rawDriver.stop());
  const driver = wrapDriver(rawDriver, {
    clock,
    resourceTags: settings.resourceTags,
    opsPerSecond: settings.maxCloudOpsPerSecond,
    timeoutMs: settings.cloudCallTimeoutMs,
    observe: (call) => reporter.driverCall(call),
  });

  const runner = new RunnerProgram(config.runner);
  if (runner.isDeployed) await runner.load().catch(() => {});
  const executors = new Executors({
    driver,
    tagKeys: keys,
    factory:
      executorFactory ??
      createExecutorFactory({
        privateKey: config.dispatchPrivateKey,
        defaultPort: settings.sshPort,
        connectTimeoutMs: Math.min(connectTimeoutMs, settings.commandTimeoutMs),
        keepaliveIntervalMs: 10_000,
        clock,
        maxHandshakes: 32,
        maxChannels: 4,
      }),
    onConnection: (instanceId, what) => {
      if (what !== 'lost') roster.send(instanceId, { type: `connection.${what}` });
    },
  });
  const timeoutMs = settings.commandTimeoutMs;
  const runnerLogic = runnerMachine.provide({
    actors: {
      startContainer: startContainerWith({
        executors,
        runner,
        queue: store,
        settings: config.runner,
        systemRootToken: config.systemRootToken,
        keepBuffersPerVcpu: config.scheduler.localKeepBlobBuffersPerVcpu,
        clusterConfig: null,
        isEc2: config.driver === 'ec2',
        timeoutMs,
        starts: new Slots(32),
        clock,
      }),
      killContainer: killContainerWith({ executors, runner, timeoutMs }),
      collectResult: collectResultWith({
        executors,
        runner,
        queue: store,
        logLimitBytes: config.runner.logLimitBytes,
        timeoutMs,
        clock,
      }),
    },
  });
  const workerLogic = workerMachine.provide({
    actors: {
      runner: runnerLogic,
      bootProbe: bootProbeWith({
        executors,
        command: settings.bootProbeCommand,
        timeoutMs: settings.bootProbeTimeoutMs,
      }),
      copyRunner: copyRunnerWith({ executors, runner, timeoutMs, uploads: new Slots(4) }),
      runProbe: runProbeWith({ executors, runner, clusterId: config.clusterId, timeoutMs, clock }),
      watch: watchWith({ executors, runner, clusterId: config.clusterId, silenceMs: watchSilenceMs, clock }),
      destroyInstance: destroyInstanceWith({ driver, destroys: new Slots(16) }),
      saveTags: saveTagsWith({ driver, tagWrites: new Slots(8) }),
    },
  });
  const notable = (before: WorkerSnapshot, after: WorkerSnapshot): boolean =>
    before.context.runners !== after.context.runners ||
    before.context.idleBehavior !== after.context.idleBehavior ||
    workerStateOf(before) !== workerStateOf(after);
  const roster: WorkerRoster = new WorkerRoster({
    clock,
    machine: observed(workerLogic, (event, before, after) => {
      reporter.workerStep(event, before, after);
      if (notable(before, after)) pool.changed();
    }),
    settings: workerSettings(config, runner.isOurs),
    connections: executors,
    typeNamed: (name) => {
      const type = config.instanceTypes.get(name);
      return { type: type ?? unknownInstanceType(name), isConfigured: type !== undefined };
    },
    observer: {
      appeared: (entry) => {
        reporter.appeared(entry);
        pacing.wanted(entry.instance.id);
        pool.changed();
      },
      fact: (entry, fact) => onFact(entry.instance.id, fact),
      broke: (entry, error) => {
        reporter.broke(entry, error);
        pool.workerBroke(entry.instance.id);
      },
      replaced: (entry) => pacing.wanted(entry.instance.id),
      retired: (entry, last) => {
        pacing.gone(entry.instance.id);
        reporter.retired(entry, last);
        pool.changed();
      },
    },
  });
  const onFact = (instanceId: string, fact: WorkerFact): void => {
    reporter.fact(instanceId, fact);
    if (fact.type === 'probe.rested') pacing.rested(instanceId);
    if (fact.type === 'probe.wanted') pacing.wanted(instanceId);
    if (fact.type === 'container.exited') pool.containerExited(fact.uuid, instanceId, fact.at);
  };
  const pacing = new ProbePacing({
    clock,
    roster,
    probeIntervalMs: settings.probeIntervalMs,
    bootProbeIntervalMs: Math.min(settings.probeIntervalMs, 1_000),
    maxProbesPerSecond: settings.maxProbesPerSecond,
    random: Math.random,
  });
  releases.push(() => pacing.stop());

  const intents = await journal.openIntents();
  const setTags = { [keys.instanceSetId]: instanceSetId };
  const supervisor = supervisorMachine.provide({
    actors: {
      listInstances: listInstancesWith({ driver, tags: setTags }),
      launch: launchMachine.provide({
        actors: {
          createInstance: createInstanceWith({
            driver,
            tagKeys: keys,
            instanceSetId,
            imageId: settings.imageId,
            instanceInitCommand: settings.instanceInitCommand,
            publicKey: settings.deployPublicKey ? publicKeyOf(config.dispatchPrivateKey) : undefined,
          }),
          recordIntent: fromPromise<void, LaunchRequest>(({ input }) =>
            journal.recordIntent({
              secretFingerprint: secretFingerprint(input.secret),
              instanceType: input.instanceType.name,
              at: clock.now(),
            }),
          ),
          settleIntent: fromPromise<void, LaunchRequest & { outcome: string }>(({ input }) =>
            journal.settleIntent(secretFingerprint(input.secret), input.outcome),
          ),
        },
      }),
    },
  });
  const pool: WorkerPool = new WorkerPool({
    clock,
    supervisor,
    roster,
    limits: new CreateLimits({
      clock,
      quotaGroup: (type) => driver.quotaGroup(type),
      maxInstances: settings.maxInstances,
      maxConcurrentCreates: settings.maxConcurrentCreates,
      quotaHoldOffMs: settings.quotaHoldOffMs,
      quotaRetryMs: settings.quotaRetryMs,
      capacityHoldOffMs: settings.capacityHoldOffMs,
      trialTimeoutMs: settings.cloudCallTimeoutMs,
      onOpened: () => pool.changed(),
    }),
    runnerFault: () => runner.health(),
    newSecret: () => randomBytes(20).toString('hex'),
    observer: reporter,
    secretTagKey: keys.instanceSecret,
    openIntents: new Set(intents.map(({ secretFingerprint: fingerprint }) => fingerprint)),
    syncIntervalMs: settings.syncIntervalMs,
    hastySyncIntervalMs: Math.min(settings.syncIntervalMs, 2_000),
    replaceDelayMs: 5_000,
  });
  releases.push(() => pool.stop());
  const dispatch = new Dispatch({
    clock,
    queue: store,
    pool,
    settings: config.scheduler,
    maxInstances: settings.maxInstances,
    last503At: () => 0,
    observer: reporter,
  });
  pool.start();
  dispatch.start();
  releases.push(() => dispatch.stop());

  const tail: ApiDeps['tail'] = async function* (view, uuid, stream, follow, signal) {
    const { executor, instance } = executors.of(view.instanceId);
    const flag = follow ? ' --follow' : '';
    const command = asRoot(
      `${await runner.command()} --tail ${uuidWord(uuid)}${flag} ${stream}`,
      instance.remoteUser,
    );
    const { lines } = await executor.open(command, { signal });
    for await (const line of lines) yield `${line}\n`;
  };
  const api = await startApi(
    {
      pool,
      store,
      dispatcher: dispatch,
      holdOffs: { list: () => pool.holdOffs(), reset: (key) => pool.resetHoldOff(key) },
      journal,
      metrics,
      explain: (id) =>
        explain(
          {
            now: () => clock.now(),
            journal,
            store,
            snapshot: (instanceId) => pool.snapshot(instanceId),
            wait: (uuid) => dispatch.wait(uuid),
          },
          id,
        ),
      tail,
      managementToken: config.managementToken,
      version,
      clock,
      log,
    },
    config.api,
  );
  releases.push(() => api.close());
  const addressFile = join(config.stateDir, 'api-address');
  writeFileSync(addressFile, `${api.url}\n`, { mode: 0o600 });
  releases.push(() => rmSync(addressFile, { force: true }));
  log.info({ component: 'api', url: api.url, version }, 'in service');
  return { url: api.url, pool, store, journal, stop };
}

function workerSettings({ pool }: Config, collects: boolean): WorkerSettings {
  return {
    tagKeys: tagKeys(pool.tagKeyPrefix),
    timeoutIdleMs: pool.timeoutIdleMs,
    timeoutBootingMs: pool.timeoutBootingMs,
    bootStageTimeoutsMs: pool.bootStageTimeoutsMs,
    timeoutProbeMs: pool.timeoutProbeMs,
    timeoutShutdownMs: pool.timeoutShutdownMs,
    timeoutStaleRunLockMs: pool.timeoutStaleRunLockMs,
    tagRetryMs: 5_000,
    watchRetryMs: 2_000,
    collects,
    runnerTimings: {
      timeoutTermMs: pool.timeoutTermMs,
      timeoutSignalMs: pool.timeoutSignalMs,
      collectRetryMs: 1_000,
      timeoutCollectMs: pool.timeoutProbeMs,
    },
  };
}
