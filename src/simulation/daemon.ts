import type { EventObject } from 'xstate';
import type { QuotaBound } from '../fleet/quota-bound.js';
import { type RunnerProgram } from '../runner/program.js';
import { startCore, type Core } from '../daemon/core.js';
import { soleMandate } from '../domain/leader-guard.js';
import { ProviderBreakers } from '../fleet/provider-breakers.js';
import { withMandate } from '../drivers/wrappers/leader-guard.js';
import { wrapDriver } from '../drivers/wrappers/wrap.js';
import type { JournalEntry } from '../journal/journal.js';
import { createLog } from '../observability/log.js';
import type { workerMachine, WorkerSnapshot } from '../machines/worker.js';
import { sizeContainer } from '../policy/choose-types.js';
import { Reporter, type ReportedMetrics } from '../observability/reporter.js';
import type { completeRow } from '../queue/store/container-transitions.js';
import type { ContainerRequest } from '../queue/container-store.js';
import { Lifeline } from './simulated-process.js';
import { MemoryQueue } from './memory-queue.js';
import { QuietVisits } from './skip-unchanged-probes.js';
import { createSimulatedExecutorFactory, type SimulatedExecutor } from './simulated-executor.js';
import { LeaseHold } from './simulated-lease.js';
import { troubledDriver, type CallObserver } from './faulty-driver.js';
import type { World } from './world.js';
import type { CoreOptions } from '../daemon/core-options.js';

/** Told of all that one daemon process does. */
export interface DaemonObserver extends CallObserver {
  step(event: EventObject, before: WorkerSnapshot, after: WorkerSnapshot): void;
  entry(entry: JournalEntry): void;
  command(instanceId: string, command: string): void;
  /** Its answer arrived. */
  answered(instanceId: string, command: string): void;
  /** The answer of a visit that was passed over would have arrived. */
  visited(instanceId: string): void;
  /** The process is gone, by a crash or in good order. */
  ended(): void;
  /** It stands still, and another is to lead. */
  superseded(): void;
}

export interface DaemonOptions {
  world: World;
  /** How many processes there were before. */
  number: number;
  runner: RunnerProgram;
  observer: DaemonObserver;
  planted: PlantedMistakes;
}

/** What is put in its place to see whether the rules find a mistake. */
export interface PlantedMistakes {
  /** The worker's chart. */
  worker: typeof workerMachine | undefined;
  /** It gives orders without asking whether it still leads. */
  isHeedless: boolean;
  quotaBound: (() => QuotaBound) | undefined;
  /** What the store makes of a result. */
  completeRow: typeof completeRow | undefined;
}

const log = createLog('silent');
const unmeasured: ReportedMetrics = {
  bootDecided: () => {},
  disappeared: () => {},
  driverOperation: () => {},
  timeToSsh: () => {},
  timeToReady: () => {},
  shutdownToGone: () => {},
  queueToStart: () => {},
  startFailed: () => {},
  runProbe: () => {},
  invariantViolated: () => {},
  attemptEnded: () => {},
  claimRefused: () => {},
  struck: () => {},
  hostKeyChanged: () => {},
  passFailed: (error) => {
    throw error;
  },
};

/** One process of the real daemon: its core between simulated edges, until it ends or dies. */
export class SimulatedDaemon {
  readonly lifeline: Lifeline;
  readonly queue: MemoryQueue;
  readonly #hold: LeaseHold;
  readonly #options: DaemonOptions;
  readonly #connected = new Map<string, SimulatedExecutor>();
  #core: Core | undefined;

  constructor(options: DaemonOptions) {
    const { world, observer } = options;
    const { config, trouble } = world;
    this.#options = options;
    this.lifeline = new Lifeline(
      world.clock,
      () => trouble.skewMs,
      () => {
        world.clock.setTimeout(() => this.#stopCore(), 0);
        observer.ended();
      },
    );
    this.#hold = new LeaseHold({
      lease: world.lease,
      lifeline: this.lifeline,
      takeOver: () => observer.superseded(),
      lost: () => this.stop(),
      after: (ms, callback) => world.clock.setTimeout(callback, ms),
    });
    const { scheduler } = config;
    this.queue = new MemoryQueue({
      rows: world.rows,
      lifeline: this.lifeline,
      clock: this.lifeline.clock,
      size: (container) =>
        sizeContainer(container, config.instanceTypes.values(), {
          maximumPriceFactor: scheduler.maximumPriceFactor,
          reserveExtraRamBytes: scheduler.reserveExtraRamBytes,
          localKeepBlobBuffersPerVcpu: scheduler.localKeepBlobBuffersPerVcpu,
        }),
      maxDispatchAttempts: scheduler.maxDispatchAttempts,
      isDown: () => trouble.isOn('store-outage'),
      isSuperseded: () => !this.isLatest,
      completeRow: options.planted.completeRow,
    });
  }

  /** `undefined` until it is up. */
  get core(): Core | undefined {
    return this.lifeline.isCut ? undefined : this.#core;
  }

  /** No other process took over the lead. */
  get isLatest(): boolean {
    return this.#hold.isLatest;
  }

  /** Stands still for so long after some calls more: as if stopped, or cut off from everything. */
  freeze(afterCalls: number, forMs: number): void {
    this.lifeline.freezeAt({ afterCalls, onFrozen: () => this.#hold.stopFor(forMs) });
  }

  /** Begins; rejects only for a fault of the simulation itself. */
  async start(): Promise<void> {
    const core = await startCore(this.#coreOptions());
    this.#core = core;
    if (this.lifeline.isCut) core.stop();
  }

  /** Ends in good order. */
  stop(): void {
    this.#stopCore();
    this.lifeline.cut();
  }

  #stopCore(): void {
    this.#core?.stop();
    this.#core = undefined;
  }

  submit(requests: readonly [ContainerRequest, Uint8Array][]): Promise<string[]> {
    return this.queue.submit(this.#options.world.config.clusterId, requests);
  }

  #coreOptions(): CoreOptions {
    const { world, runner, observer, number } = this.#options;
    const { worker, isHeedless, quotaBound } = this.#options.planted;
    const { config, settings } = world;
    const { lifeline, queue } = this;
    const mandate = isHeedless ? soleMandate : this.#hold;
    const { clock } = lifeline;
    const chance = world.random.fork(`daemon ${number}`);
    const secrets = world.random.fork(`secrets ${number}`);
    const reporter = new Reporter({ config, clock, log, metrics: unmeasured, journal: this.#journal() });
    return {
      config,
      clock,
      random: () => chance.next(),
      newSecret: () => secrets.hex(40),
      driver: wrapDriver(withMandate(troubledDriver(world, lifeline, observer), mandate), {
        clock,
        resourceTags: config.pool.resourceTags,
        opsPerSecond: config.pool.maxCloudOpsPerSecond,
        timeoutMs: config.pool.cloudCallTimeoutMs,
        secrets: [],
        breakers: new ProviderBreakers({ clock, trialTimeoutMs: config.pool.cloudCallTimeoutMs }),
        observe: (call) => reporter.driverCall(call),
      }),
      executorFactory: createSimulatedExecutorFactory({
        host: world.host,
        clock,
        latencyMs: settings.commandLatencyMs,
        network: world.trouble,
        lifeline,
        onCommand: (instanceId, command) => observer.command(instanceId, command),
        onAnswer: (instanceId, command) => observer.answered(instanceId, command),
        connected: this.#connected,
      }),
      queue,
      journal: {
        openIntents: () => lifeline.call(async () => world.journal.openIntents()),
        recordedIntents: () => lifeline.call(async () => world.journal.recordedIntents()),
        recordIntent: (intent) => lifeline.call(async () => world.journal.recordIntent(intent)),
        settleIntent: (fingerprint) => lifeline.call(async () => world.journal.settleIntent(fingerprint)),
      },
      reporter,
      runner,
      mandate,
      ...(world.everyVisit ? {} : { shortcut: this.#shortcut(reporter) }),
      ...(world.beats ? {} : { watchSilenceMs: Infinity }),
      instanceSetId: 'simulated',
      publicKey: undefined,
      onWorkerStep: (event, before, after) => {
        if (!lifeline.isCut) observer.step(event, before, after);
      },
      ...(worker ? { worker } : {}),
      quotaBound: quotaBound?.(),
    };
  }

  #shortcut(reporter: Reporter): QuietVisits {
    const { world, observer } = this.#options;
    return new QuietVisits({
      world,
      lifeline: this.lifeline,
      core: () => this.core,
      isConnected: (instanceId) => this.#connected.get(instanceId)?.isConnectedTo(instanceId) === true,
      passed: (instanceId, at) => {
        reporter.workers.passedOver(instanceId, at);
        observer.visited(instanceId);
      },
    });
  }

  #journal(): { append(entry: JournalEntry): void } {
    const { world, observer } = this.#options;
    return {
      append: (entry) => {
        if (this.lifeline.isCut) return;
        world.journal.append(entry);
        observer.entry(entry);
      },
    };
  }
}
