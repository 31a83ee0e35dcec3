import { fromCallback, fromPromise, type EventObject } from 'xstate';
import { CreateLimits } from '../../src/fleet/create-limits.js';
import { WorkerRoster, type WorkerInspection } from '../../src/fleet/worker-registry.js';
import { observed } from '../../src/machines/inspection/observe-transitions.js';
import { WorkerPool } from '../../src/fleet/worker-pool.js';
import { secretFingerprint } from '../../src/domain/ids.js';
import type { Instance, Tags } from '../../src/domain/instance.js';
import { unknownInstanceType, type InstanceType } from '../../src/domain/instance-type.js';
import type { CreateOutcome, LaunchRequest, ListOutcome } from '../../src/machines/cloud-effects.js';
import { launchMachine } from '../../src/machines/launch.js';
import { runnerMachine } from '../../src/machines/runner.js';
import { supervisorMachine } from '../../src/machines/supervisor.js';
import type {
  ContainerOnInstance,
  OnInstance,
  RemoteOutcome,
  RunProbeOutcome,
} from '../../src/machines/worker-effects.js';
import { workerMachine, type WorkerSnapshot } from '../../src/machines/worker.js';
import { HeapClock, settle } from '../../src/simulation/heap-clock.js';
import { listing, workerSettings } from './worker-world.js';
import type { WorkerEntry } from '../../src/fleet/worker-entry.js';

const ok = () => fromPromise<RemoteOutcome, OnInstance>(() => Promise.resolve({ ok: true }));

export interface PoolWorldOptions {
  types: InstanceType[];
  maxInstances?: number;
  maxConcurrentCreates?: number;
  openIntents?: string[];
  recorded?: ReadonlyMap<string, number>;
  removesOrphans?: boolean;
  quotaGroup?: (type: InstanceType) => string;
  zones?: string[];
  bootFailureLimit?: number;
  missingLists?: number;
  missingGraceMs?: number;
  inspection?: WorkerInspection;
}

/** The pool on a pretended cloud: a list of instances the test edits, create calls the test answers. */
export class PoolWorld {
  readonly clock = new HeapClock(1_000_000);
  readonly cloud = new Map<string, Instance>();
  readonly destroyed: string[] = [];
  readonly retired: { id: string; last: WorkerSnapshot }[] = [];
  readonly broke: string[] = [];
  /** Instances to which a watch channel is open, once for each. */
  readonly watched: string[] = [];
  listFails = false;
  lists = 0;
  /** What a create call does; by default it makes the instance. */
  answer: (request: LaunchRequest) => Promise<CreateOutcome> = (request) =>
    Promise.resolve({ ok: true, instance: this.make(request) });
  kill: () => Promise<RemoteOutcome> = () => Promise.resolve({ ok: true });
  probe: (id: string) => RunProbeOutcome = () => listing();
  /** Called inside every step of every worker: may throw. */
  sabotage: (id: string) => void = () => {};
  readonly roster: WorkerRoster;
  readonly pool: WorkerPool;
  #made = 0;

  constructor({
    types,
    maxInstances = 0,
    maxConcurrentCreates = 0,
    openIntents = [],
    recorded,
    removesOrphans = false,
    quotaGroup,
    zones = [],
    bootFailureLimit = 0,
    missingLists = 2,
    missingGraceMs = 0,
    inspection,
  }: PoolWorldOptions) {
    const typeNamed = (name: string) => {
      const type = types.find((each) => each.name === name);
      return { type: type ?? unknownInstanceType(name), isConfigured: type !== undefined };
    };
    this.roster = new WorkerRoster({
      clock: this.clock,
      machine: observed(this.#workerMachine(), this.clock, (_event, _before, after) => {
        this.sabotage(after.context.instance.id);
        this.pool.changed();
      }),
      settings: { ...workerSettings, removesOrphans, orphanGraceMs: 600_000 },
      connections: { add: () => {}, update: () => {}, remove: () => {} },
      typeNamed,
      inspection,
      missing: { lists: missingLists, graceMs: missingGraceMs },
      observer: {
        appeared: () => this.pool.changed(),
        fact: ({ instance }: WorkerEntry, fact) => {
          if (fact.type === 'boot.decided') this.pool.bootDecided(instance.id, fact.outcome);
          if (fact.type === 'container.exited') this.pool.containerExited(fact.uuid, instance.id, fact.at);
        },
        broke: ({ instance }) => {
          this.broke.push(instance.id);
          this.pool.workerBroke(instance.id);
        },
        replaced: () => {},
        retired: ({ instance }, last) => {
          this.retired.push({ id: instance.id, last });
          this.pool.changed();
        },
      },
    });
    this.pool = new WorkerPool({
      clock: this.clock,
      supervisor: this.#supervisorMachine(),
      roster: this.roster,
      limits: new CreateLimits({
        clock: this.clock,
        quotaGroup: quotaGroup ?? (() => ''),
        zones: () => zones,
        maxInstances,
        maxConcurrentCreates,
        quotaHoldOffMs: 60_000,
        quotaRetryMs: 600_000,
        capacityHoldOffMs: 60_000,
        trialTimeoutMs: 300_000,
        bootFailureLimit,
        bootFailureHoldOffMs: 600_000,
        bootTrialTimeoutMs: 900_000,
        onClosed: () => this.pool.changed(),
      }),
      runnerFault: () => undefined,
      newSecret: () => `secret${++this.#made}`,
      observer: {
        loaded: () => {},
        listFailed: () => {},
        launchRequested: () => {},
        launchSettled: () => {},
        order: () => {},
      },
      secretTagKey: workerSettings.tagKeys.instanceSecret,
      openIntents: new Set(openIntents),
      recorded,
      syncIntervalMs: 60_000,
      hastySyncIntervalMs: 5_000,
      replaceDelayMs: 5_000,
    });
  }

  /** Started, with the first list read. */
  async start(): Promise<this> {
    this.pool.start();
    await settle();
    return this;
  }

  /** One reading of the cloud's list. */
  async sync(): Promise<void> {
    await this.clock.advance(60_000);
  }

  make(request: LaunchRequest, change: Partial<Instance> = {}): Instance {
    return this.add(`i-${this.cloud.size + this.destroyed.length + 1}`, request.instanceType, {
      tags: {
        LongshoreInstanceType: request.instanceType.name,
        LongshoreIdleBehavior: 'run',
        LongshoreInstanceSecret: secretFingerprint(request.secret),
      },
      ...change,
    });
  }

  add(id: string, type: InstanceType, change: Partial<Instance> = {}): Instance {
    const instance: Instance = {
      id,
      displayName: id,
      providerType: type.providerType,
      address: '127.0.0.1:22',
      remoteUser: 'root',
      tags: { LongshoreInstanceType: type.name, LongshoreIdleBehavior: 'run' },
      priceHistory: [],
      ...change,
    };
    this.cloud.set(id, instance);
    return instance;
  }

  states(): Record<string, string> {
    return Object.fromEntries(
      this.pool.instances().map((view) => [view.instanceId || view.launchId, view.workerState]),
    );
  }

  async visit(id: string): Promise<void> {
    this.roster.send(id, { type: 'probe.due' });
    await settle();
  }

  #workerMachine(): typeof workerMachine {
    return workerMachine.provide({
      actors: {
        runner: runnerMachine.provide({
          actors: {
            startContainer: fromPromise<RemoteOutcome, ContainerOnInstance>(() =>
              Promise.resolve({ ok: true }),
            ),
            killContainer: fromPromise<RemoteOutcome, ContainerOnInstance>(() => this.kill()),
            collectResult: fromPromise<RemoteOutcome, ContainerOnInstance>(() =>
              Promise.resolve({ ok: true }),
            ),
          },
        }),
        bootProbe: ok(),
        copyRunner: ok(),
        saveTags: fromPromise<RemoteOutcome, OnInstance & { tags: Tags }>(({ input }) => {
          const known = this.cloud.get(input.instanceId);
          if (known) this.cloud.set(known.id, { ...known, tags: { ...input.tags } });
          return Promise.resolve({ ok: true });
        }),
        destroyInstance: fromPromise<RemoteOutcome, OnInstance>(({ input }) => {
          this.destroyed.push(input.instanceId);
          this.cloud.delete(input.instanceId);
          return Promise.resolve({ ok: true });
        }),
        runProbe: fromPromise<RunProbeOutcome, OnInstance>(({ input }) =>
          Promise.resolve(this.probe(input.instanceId)),
        ),
        watch: fromCallback<EventObject, OnInstance>(({ input }) => {
          this.watched.push(input.instanceId);
          return () => void this.watched.splice(this.watched.indexOf(input.instanceId), 1);
        }),
      },
    });
  }

  #supervisorMachine(): typeof supervisorMachine {
    return supervisorMachine.provide({
      actors: {
        listInstances: fromPromise<ListOutcome>(() => {
          this.lists++;
          return Promise.resolve(
            this.listFails
              ? { ok: false, error: { code: 'unavailable', message: 'no list' } }
              : { ok: true, instances: [...this.cloud.values()] },
          );
        }),
        launch: launchMachine.provide({
          actors: {
            recordIntent: fromPromise<void, LaunchRequest>(() => Promise.resolve()),
            settleIntent: fromPromise<void, LaunchRequest & { outcome: string }>(() => Promise.resolve()),
            createInstance: fromPromise<CreateOutcome, LaunchRequest>(({ input }) => this.answer(input)),
          },
        }),
      },
    });
  }
}
