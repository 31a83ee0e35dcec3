import type { EventObject } from 'xstate';
import type { PendingLaunch } from '../fleet/worker-views.js';
import type { Config, PoolSettings } from '../config/config.js';
import { fingerprintOfTag } from '../domain/ids.js';
import type { DriverCall } from '../drivers/wrappers/observe.js';
import { FleetModel } from './invariants/fleet-model.js';
import type { Violation } from './invariants/invariants.js';
import type { LaunchOutput } from '../machines/launch.js';
import type { WorkerActor, WorkerSnapshot } from '../machines/worker.js';
import type { FleetLimits } from './invariants/fleet-limits.js';
import { workerStateOf } from '../machines/worker-state.js';

/** The limits that the configuration promises. */
export function fleetLimits({ pool }: Pick<Config, 'pool'>): FleetLimits {
  return {
    maxInstances: pool.maxInstances,
    maxConcurrentCreates: pool.maxConcurrentCreates,
    maxCloudOpsPerSecond: pool.maxCloudOpsPerSecond,
    maxProbesPerSecond: pool.maxProbesPerSecond === 'auto' ? 0 : pool.maxProbesPerSecond,
    timeoutBootingMs: pool.timeoutBootingMs,
    timeoutIdleMs: pool.timeoutIdleMs,
    timeoutProbeMs: pool.timeoutProbeMs,
    timeoutShutdownMs: pool.timeoutShutdownMs,
    cloudCallTimeoutMs: pool.cloudCallTimeoutMs,
    quotaHoldOffMs: pool.quotaHoldOffMs,
    quotaRetryMs: pool.quotaRetryMs,
    longestRoundMs: longestRound(pool),
  };
}

/** The delay, then boot probe, copy (several commands) and run probe, each with its deadline. */
function longestRound({ probeIntervalMs, bootProbeTimeoutMs, commandTimeoutMs }: PoolSettings): number {
  return probeIntervalMs + bootProbeTimeoutMs + 4 * commandTimeoutMs;
}

/** Feeds the reference model with the facts of the daemon, in the model's own terms. */
export class Monitor {
  readonly model: FleetModel;
  readonly #fingerprints = new Map<string, string>();
  readonly #secretTagKey: string;

  /** `violated` must not throw. */
  constructor(limits: FleetLimits, secretTagKey: string, violated: (violation: Violation) => void) {
    this.model = new FleetModel(limits, violated);
    this.#secretTagKey = secretTagKey;
  }

  began(actor: WorkerActor, at: number): void {
    const snapshot = actor.getSnapshot();
    const { instance, runners, idleBehavior } = snapshot.context;
    this.model.began(
      {
        at,
        instance: instance.id,
        state: workerStateOf(snapshot),
        behavior: idleBehavior,
        containers: Object.keys(runners),
        alive: aliveIn(runners),
      },
      fingerprintOfTag(instance.tags[this.#secretTagKey] ?? ''),
    );
  }

  stepped(event: EventObject, before: WorkerSnapshot, after: WorkerSnapshot, at: number): void {
    const { instance, runners, idleBehavior, probedAt } = after.context;
    if (before.context.probedAt !== probedAt) this.model.heard(at, instance.id);
    if (event.type === 'scheduler.keep') this.model.kept(at, instance.id);
    const isNews =
      before.context.runners !== runners ||
      before.context.idleBehavior !== idleBehavior ||
      before.value.lifecycle !== after.value.lifecycle ||
      event.type === 'operator.kill';
    if (!isNews || after.value.lifecycle === 'gone') return;
    this.model.stepped({
      at,
      instance: instance.id,
      event: event.type,
      state: workerStateOf(after),
      behavior: idleBehavior,
      isOrphan: after.value.lifecycle === 'orphaned',
      containers: Object.keys(runners),
      alive: aliveIn(runners),
    });
  }

  called({ operation, instanceId, durationMs, error }: DriverCall, at: number): void {
    this.model.cloud.called(at, durationMs, error !== undefined);
    if (operation !== 'Destroy' || instanceId === undefined) return;
    this.model.cloud.destroyed({
      instance: instanceId,
      startedAt: at - durationMs,
      endedAt: at,
      isDone: error === undefined || error.code === 'not-found',
    });
  }

  launchRequested({ launchId, fingerprint }: PendingLaunch, at: number): void {
    this.#fingerprints.set(launchId, fingerprint);
    this.model.cloud.createAsked(at, fingerprint);
  }

  launchSettled({ launchId, outcome }: LaunchOutput, at: number): void {
    const fingerprint = this.#fingerprints.get(launchId) ?? '';
    this.#fingerprints.delete(launchId);
    const told = outcome.ok ? { instance: outcome.instance.id } : { failure: outcome.error.code };
    this.model.cloud.createSettled(at, fingerprint, told);
  }
}

/** Containers whose process ended: their result is being collected, and the next attempt may run elsewhere. */
function aliveIn(runners: WorkerSnapshot['context']['runners']): string[] {
  return Object.keys(runners).filter((uuid) => runners[uuid]!.phase !== 'collecting');
}
