import { fromPromise } from 'xstate';
import { CreateLimits } from '../fleet/create-limits.js';
import { createInstanceWith } from '../actors/create-instance.js';
import { listInstancesWith } from '../actors/list-instances.js';
import { observed } from '../machines/inspection/observe-transitions.js';
import { ProbePacing } from '../fleet/probe-scheduler.js';
import { WorkerRoster } from '../fleet/worker-registry.js';
import { WorkerPool } from '../fleet/worker-pool.js';
import { secretFingerprint } from '../domain/ids.js';
import { rebooted, tagKeys } from '../domain/instance.js';
import { noSightings, type Sighting } from '../domain/sighting.js';
import { unknownInstanceType } from '../domain/instance-type.js';
import type { LaunchIntent } from '../journal/journal.js';
import type { LaunchRequest } from '../machines/cloud-effects.js';
import { launchMachine } from '../machines/launch.js';
import { supervisorMachine } from '../machines/supervisor.js';
import type { WorkerFact } from '../machines/worker-model.js';
import { placeOf } from '../policy/claims.js';
import { quarantinedEvent } from './quarantine-orders.js';
import { workerLogic, type WorkerWorld } from './worker-logic.js';
import { workerSettings } from './worker-settings.js';
import type { CoreOptions } from './core-options.js';
import type { WorkerSnapshot } from '../machines/worker.js';
import type { WorkerEntry } from '../fleet/worker-entry.js';
import { knownSince, workerStateOf } from '../machines/worker-state.js';

export interface Fleet {
  pool: WorkerPool;
  roster: WorkerRoster;
  pacing: ProbePacing;
}

/**
 * Records of earlier processes: create calls without an outcome, all stored create calls, and when instances were first
 * known.
 */
export interface KnownBefore {
  sightings: ReadonlyMap<string, Sighting>;
  open: readonly LaunchIntent[];
  recorded: readonly LaunchIntent[];
}

const longestHastySyncMs = 2_000;
/** Longer than the lag of any provider's lists; meanwhile they are read every few seconds. */
const missing = { lists: 5, graceMs: 60_000 };
const replaceDelayMs = 5_000;
const longestBootProbeIntervalMs = 1_000;

/**
 * Assembles the workers with their supervisor, breakers and probe scheduling. Does nothing until the pool is
 * started.
 */
export function assembleFleet(
  options: CoreOptions,
  world: WorkerWorld,
  { open, recorded, sightings: earlier }: KnownBefore,
): Fleet {
  const { config, clock, reporter, random } = options;
  const { pool: settings } = config;
  const sightings = options.sightings ?? noSightings;
  const { conduct, hostKeys } = world.executors;
  const notable = (before: WorkerSnapshot, after: WorkerSnapshot): boolean =>
    before.context.runners !== after.context.runners ||
    before.context.idleBehavior !== after.context.idleBehavior ||
    before.context.setupLostBecause !== after.context.setupLostBecause ||
    workerStateOf(before) !== workerStateOf(after) ||
    (before.value.lifecycle === 'orphaned') !== (after.value.lifecycle === 'orphaned');
  const roster: WorkerRoster = new WorkerRoster({
    clock,
    machine: observed(workerLogic(world), clock, (event, before, after, step) => {
      reporter.workers.stepped(event, before, after, step);
      options.onWorkerStep?.(event, before, after);
      noteReboot(before, after, pool);
      if (workerStateOf(before) !== 'shutdown' && workerStateOf(after) === 'shutdown')
        takeBackAttempts(world, after);
      if (notable(before, after)) pool.changed();
    }),
    settings: workerSettings(config, world.runner.isOurs),
    connections: world.executors,
    inspection: options.inspection,
    sighting: (instanceId) => earlier.get(instanceId),
    missing,
    typeNamed: (name) => {
      const type = config.instanceTypes.get(name);
      return { type: type ?? unknownInstanceType(name), isConfigured: type !== undefined };
    },
    observer: {
      appeared: (entry) => {
        reporter.workers.appeared(entry);
        sightings.seen(sightingOf(entry));
        hostKeys.listed(entry.instance.id);
        conduct.listed(entry.instance.id);
        const quarantine = conduct.quarantineOf(entry.instance.id);
        // The tag may not have been written.
        if (quarantine) roster.send(entry.instance.id, quarantinedEvent(quarantine));
        pacing.wanted(entry.instance.id);
        pool.changed();
      },
      fact: (entry, fact) => onFact(entry.instance.id, fact),
      broke: (entry, error) => {
        reporter.workers.broke(entry, error);
        pool.workerBroke(entry.instance.id);
      },
      replaced: (entry) => {
        reporter.workers.replaced(entry);
        pacing.wanted(entry.instance.id);
      },
      retired: (entry, last) => {
        pacing.gone(entry.instance.id);
        reporter.workers.retired(entry, last);
        sightings.gone(entry.instance.id);
        hostKeys.gone(entry.instance.id);
        conduct.gone(entry.instance.id);
        pool.changed();
      },
    },
  });
  const onFact = (instanceId: string, fact: WorkerFact): void => {
    reporter.workers.fact(instanceId, fact);
    if (fact.type === 'probe.rested') pacing.rested(instanceId);
    if (fact.type === 'probe.wanted') pacing.wanted(instanceId);
    if (fact.type === 'boot.decided') {
      pool.bootDecided(instanceId, fact.outcome);
      if (fact.outcome === 'success') hostKeys.finalise(instanceId);
    }
    if (fact.type === 'container.exited') pool.containerExited(fact.uuid, instanceId, fact.at);
  };
  const pacing = new ProbePacing({
    clock,
    roster,
    probeIntervalMs: settings.probeIntervalMs,
    bootProbeIntervalMs: Math.min(settings.probeIntervalMs, longestBootProbeIntervalMs),
    maxProbesPerSecond: settings.maxProbesPerSecond,
    random,
    shortcut: options.shortcut,
  });
  const pool: WorkerPool = new WorkerPool({
    clock,
    supervisor: supervisorLogic(options),
    roster,
    limits: createLimits(options, () => pool.changed()),
    runnerFault: () => world.runner.health(),
    newSecret: options.newSecret,
    observer: reporter,
    secretTagKey: tagKeys(settings.tagKeyPrefix).instanceSecret,
    openIntents: new Set(open.map(({ secretFingerprint }) => secretFingerprint)),
    recorded: new Map(recorded.map(({ secretFingerprint, at }) => [secretFingerprint, at])),
    syncIntervalMs: settings.syncIntervalMs,
    hastySyncIntervalMs: Math.min(settings.syncIntervalMs, longestHastySyncMs),
    replaceDelayMs,
  });
  return { pool, roster, pacing };
}

function sightingOf({ instance, instanceType, actor }: WorkerEntry): Sighting {
  return {
    instanceId: instance.id,
    firstSeenAt: knownSince(actor.getSnapshot().context),
    instanceTypeName: instanceType.name,
    pricePerHour: instanceType.price,
  };
}

function createLimits(
  { config, clock, driver, quotaBound }: CoreOptions,
  onClosed: () => void,
): CreateLimits {
  const { pool } = config;
  return new CreateLimits({
    clock,
    quotaGroup: (type) => driver.quotaGroup(type),
    zones: (type) => driver.zones?.(type) ?? [],
    maxInstances: pool.maxInstances,
    maxConcurrentCreates: pool.maxConcurrentCreates,
    quotaHoldOffMs: pool.quotaHoldOffMs,
    quotaRetryMs: pool.quotaRetryMs,
    capacityHoldOffMs: pool.capacityHoldOffMs,
    trialTimeoutMs: pool.cloudCallTimeoutMs,
    bootFailureLimit: pool.bootFailureLimit,
    bootFailureHoldOffMs: pool.bootFailureHoldOffMs,
    bootTrialTimeoutMs: pool.cloudCallTimeoutMs + 2 * pool.timeoutBootingMs,
    onClosed,
    quotaBound,
  });
}

/** The supervisor with its provider calls; the intent of each create call is recorded before it. */
function supervisorLogic(options: CoreOptions): typeof supervisorMachine {
  const { config, clock, driver, journal, reporter, instanceSetId, publicKey } = options;
  const keys = tagKeys(config.pool.tagKeyPrefix);
  return supervisorMachine.provide({
    actors: {
      listInstances: listInstancesWith({
        driver,
        tags: { [keys.instanceSetId]: instanceSetId },
        typeOf: ({ tags: { [keys.instanceType]: name = '' } }) =>
          config.instanceTypes.get(name) ?? unknownInstanceType(name),
        onListed: (instances) => reporter.listed(instances.map(({ id }) => id)),
      }),
      launch: launchMachine.provide({
        actors: {
          createInstance: createInstanceWith({
            driver,
            tagKeys: keys,
            instanceSetId,
            imageId: config.pool.imageId,
            instanceInitCommand: config.pool.instanceInitCommand,
            plainSecretTag: config.pool.plainSecretTag,
            publicKey,
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
}

/**
 * Of an instance that is destroyed in quarantine: attempts that end without a result are not charged to their containers.
 * A queue without numbers of attempts charges none.
 */
function takeBackAttempts({ executors, queue, failures }: WorkerWorld, { context }: WorkerSnapshot): void {
  const instanceId = context.instance.id;
  const quarantine = executors.conduct.quarantineOf(instanceId);
  if (!quarantine) return;
  for (const uuid of Object.keys(context.runners)) {
    const container = queue.get(uuid);
    const { attempt } = container ?? {};
    if (placeOf(container) !== instanceId || attempt === undefined) continue;
    const reason = `its instance was destroyed in quarantine: ${quarantine.because}`;
    failures.failed(uuid, { instanceId, attempt, reason, ranNothing: false, isUncharged: true });
  }
}

function noteReboot(before: WorkerSnapshot, { context }: WorkerSnapshot, pool: WorkerPool): void {
  if (context.setupLostBecause !== rebooted || before.context.setupLostBecause === rebooted) return;
  pool.instanceRebooted(context.instance.id, Object.keys(context.runners));
}
