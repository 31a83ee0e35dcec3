import type { VisitShortcut } from '../fleet/probe-scheduler.js';
import type { Core } from '../daemon/core.js';
import type { Lifeline } from './simulated-process.js';
import type { World } from './world.js';
import type { WorkerSnapshot } from '../machines/worker.js';

export interface QuietVisitsOptions {
  world: World;
  lifeline: Lifeline;
  /** `undefined` until it is up. */
  core(): Core | undefined;
  /** The next command to that machine reaches it without a new connection. */
  isConnected(instanceId: string): boolean;
  /** A visit was passed over; `at` by the daemon's clock. */
  passed(instanceId: string, at: number): void;
}

/**
 * Passes over the visits that find everything as it was, which are nearly all of them. A visit is quiet when its worker
 * waits for nothing, the machine would list exactly what the worker knows to run there, the line is undisturbed, and
 * nothing at all happens before the answer would arrive. What such a visit leaves in the worker is then written there,
 * at the time at which the answer would have arrived: the journal is the same, byte by byte, as with all visits made.
 */
export class QuietVisits implements VisitShortcut {
  readonly clock: VisitShortcut['clock'];
  readonly #options: QuietVisitsOptions;

  constructor(options: QuietVisitsOptions) {
    this.#options = options;
    this.clock = options.lifeline.quietClock;
  }

  isKnown(instanceId: string): boolean {
    const { world } = this.#options;
    const isKnown = this.#isQuiet(instanceId);
    if (!isKnown) world.clock.stir();
    return isKnown;
  }

  pass(instanceId: string, rested: () => void): void {
    const { world, lifeline, core, passed } = this.#options;
    const snapshot = core()?.pool.snapshot(instanceId);
    const startedAt = this.clock.now();
    const end = (): void => {
      const { pool, executors } = core() ?? {};
      if (!snapshot || !executors || pool?.snapshot(instanceId) !== snapshot) {
        throw new Error(`${instanceId} was disturbed during a visit that nothing could disturb`);
      }
      const now = this.clock.now();
      executors.conduct.answered(instanceId);
      const { type } = executors.of(instanceId);
      executors.conduct.refusedIds(instanceId, type, Object.keys(snapshot.context.runners));
      leave(snapshot, startedAt, now);
      world.passedOver++;
      passed(instanceId, now);
      rested();
    };
    if (world.settings.commandLatencyMs > 0) {
      lifeline.quietClock.setTimeout(end, world.settings.commandLatencyMs);
    } else {
      end();
    }
  }

  #isQuiet(instanceId: string): boolean {
    const { world, lifeline } = this.#options;
    const core = this.#options.core();
    const snapshot = core?.pool.snapshot(instanceId);
    if (!core || !snapshot || !waitsForNothing(snapshot) || lifeline.isDoomed) return false;
    const answersAt = world.clock.now() + Math.ceil(world.settings.commandLatencyMs);
    if (world.clock.nextLoudAt() <= answersAt || answersAt >= world.pausesAt) return false;
    if (!this.#options.isConnected(instanceId)) return false;
    const { trouble, host } = world;
    if (trouble.disturbs(instanceId)) return false;
    return host.of(instanceId)?.wouldList(Object.keys(snapshot.context.runners)) === true;
  }
}

/** In service, at rest, and nothing of its last visit or of a container left to be dealt with. */
function waitsForNothing({ value, context }: WorkerSnapshot): boolean {
  if (value.probe !== 'resting' || (value.lifecycle !== 'idle' && value.lifecycle !== 'running'))
    return false;
  const { lastFailure, answered, staleSince, runners, lastContainerUuid } = context;
  if (lastFailure !== undefined || !answered) return false;
  for (const uuid in runners)
    if (runners[uuid]!.phase !== 'running' || lastContainerUuid === '') return false;
  for (const _uuid in staleSince) return false;
  return true;
}

/** What the chart would assign. The snapshot is written over: nobody keeps one of a worker and looks at it later. */
function leave({ value, context }: WorkerSnapshot, startedAt: number, now: number): void {
  Object.assign(context, {
    round: { startedAt, revision: context.revision, bootFailure: undefined },
    probedAt: now,
    staleSince: {},
    ...(value.lifecycle === 'running' ? { busyAt: now } : {}),
  });
}
