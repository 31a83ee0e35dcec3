import type { PlannedContainer } from '../fleet/dispatcher.js';
import type { Core } from '../daemon/core.js';
import type { WaitReason } from '../policy/wait-reason.js';
import type { World } from './world.js';
import type { Report } from './violation.js';

const graceMs = 180_000;
/** Waits of containers that were chosen to run: the limit of containers counts them. */
const chosenCodes: ReadonlySet<string> = new Set([
  'preparing',
  'locking',
  'new-instance',
  'paced',
  'protected',
]);

interface Wait {
  code: string;
  /** For how long it was seen with that reason while nothing was wrong; ms. */
  seenMs: number;
  /** For how long nothing there could be seen that would end it; ms. */
  endlessMs: number;
}

/**
 * Each waiting container has a reason that ends by itself within a bound, or by an event that is possible: what is to
 * bring that event is looked for in the world.
 */
export class WaitRules {
  readonly #world: World;
  readonly #report: Report;
  readonly #waits = new Map<string, Wait>();

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
  }

  /** Nothing was wrong since the last look, `passedMs` ago. `now`: by the daemon's clock. */
  look(core: Core, passedMs: number, now: number): void {
    const planned = new Map(core.dispatch.containers().map((each) => [each.entry.container.uuid, each]));
    const waiting = new Set<string>();
    for (const { uuid, state, priority } of this.#world.rows.waiting()) {
      waiting.add(uuid);
      const wait = planned.get(uuid)?.wait ?? { code: priority > 0n ? 'unplanned' : 'priority-zero', state };
      this.#lookAt(uuid, wait, { core, passedMs, now, planned, isPaused: priority < 1n });
    }
    for (const uuid of this.#waits.keys()) if (!waiting.has(uuid)) this.#waits.delete(uuid);
  }

  #lookAt(uuid: string, reason: WaitReason, sight: Sight): void {
    let wait = this.#waits.get(uuid);
    if (wait?.code !== reason.code) {
      wait = { code: reason.code, seenMs: 0, endlessMs: 0 };
      this.#waits.set(uuid, wait);
    }
    wait.seenMs += sight.passedMs;
    wait.endlessMs = this.#canEnd(uuid, reason, sight) ? 0 : wait.endlessMs + sight.passedMs;
    const boundMs = this.#boundMs(reason);
    const isEndless = wait.endlessMs > graceMs;
    if (wait.seenMs <= boundMs && !isEndless) return;
    const seconds = Math.round((isEndless ? wait.endlessMs : wait.seenMs) / 1_000);
    const why = isEndless ? 'what it waits for cannot come' : `${Math.round(boundMs / 1_000)} s is the most`;
    this.#report('each wait ends', uuid, `${JSON.stringify(reason)} for ${seconds} s, and ${why}`);
    Object.assign(wait, { seenMs: -Infinity, endlessMs: -Infinity });
  }

  /** What ends by itself ends within so long. */
  #boundMs({ code }: WaitReason): number {
    const { pool, scheduler } = this.#world.config;
    const pollMs = 2 * scheduler.pollIntervalMs + scheduler.staleLockTimeoutMs;
    switch (code) {
      case 'unplanned':
      case 'locking':
        return pollMs + graceMs;
      case 'preparing':
      case 'previous-attempt':
        return pollMs + 2 * (pool.timeoutProbeMs + pool.timeoutTermMs + pool.commandTimeoutMs) + 2 * graceMs;
      default:
        return Infinity;
    }
  }

  /** Whether something there will end it, or its owner or an operator can. */
  #canEnd(uuid: string, reason: WaitReason, sight: Sight): boolean {
    const { core, now, planned, isPaused } = sight;
    const { pool } = core;
    const isComing = (): boolean =>
      pool
        .instances()
        .some(({ workerState }) => ['booting', 'unknown', 'shutdown', 'running'].includes(workerState));
    switch (reason.code) {
      case 'unplanned':
      case 'locking':
      case 'preparing':
      case 'previous-attempt':
        return true;
      case 'priority-zero':
        return isPaused;
      case 'backing-off':
      case 'avoiding':
        return reason.until > now - graceMs;
      case 'supervisor-limit':
        return [...planned.values()].some(({ entry }) => isOtherSupervisor(entry, uuid));
      case 'cluster-limit':
        return (
          isComing() ||
          pool.running().size > 0 ||
          pool.launches().length > 0 ||
          this.#canOneEnd(chosenCodes, uuid, sight)
        );
      case 'new-instance':
        return isComing() || pool.launches().length > 0;
      case 'types-at-capacity':
        return isComing() || pool.launches().length > 0 || pool.breakers().length > 0;
      case 'paced':
        return (
          pool.launches().length > 0 ||
          (reason.retryAt !== undefined && reason.retryAt > now - graceMs) ||
          isComing()
        );
      case 'protected':
        return (reason.until ?? now) > now - graceMs || isComing();
      case 'cloud-limit':
        return (
          isComing() ||
          pool.breakers().some(({ key }) => key === 'quota') ||
          pool.instances().some(({ idleBehavior, isOrphan }) => idleBehavior === 'hold' || isOrphan)
        );
    }
  }

  /** Whether a wait of those codes can end of a container that is counted before this one. */
  #canOneEnd(codes: ReadonlySet<string>, uuid: string, sight: Sight): boolean {
    for (const [other, { wait }] of sight.planned) {
      if (other !== uuid && wait && codes.has(wait.code) && this.#canEnd(other, wait, sight)) return true;
    }
    return false;
  }
}

interface Sight {
  core: Core;
  passedMs: number;
  now: number;
  planned: ReadonlyMap<string, PlannedContainer>;
  /** Its owner set its priority to 0. */
  isPaused: boolean;
}

function isOtherSupervisor({ container }: PlannedContainer['entry'], uuid: string): boolean {
  return container.scheduling.supervisor && container.uuid !== uuid;
}
