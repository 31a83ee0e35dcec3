import type { Clock } from '../domain/clock.js';
import { autoProbeRate, ProbePacer } from '../policy/probe-queue.js';
import type { WorkerRoster } from './worker-registry.js';
import { workerStateOf } from '../machines/worker-state.js';

/** Takes visits over whose outcome is known without making them: a simulation knows it. */
export interface VisitShortcut {
  /** Where the pacing keeps its own timer. */
  clock: Clock;
  isKnown(instanceId: string): boolean;
  /** In place of the visit; `rested` is to be called when it would have ended. */
  pass(instanceId: string, rested: () => void): void;
}

export interface ProbePacingOptions {
  clock: Clock;
  roster: WorkerRoster;
  probeIntervalMs: number;
  /** Pause between two probes of an instance that boots. */
  bootProbeIntervalMs: number;
  maxProbesPerSecond: number | 'auto';
  /** 0 up to 1. */
  random(): number;
  /** Default: every visit is made. */
  shortcut?: VisitShortcut | undefined;
}

/** Spreads probes a little, so that they do not run in lock step with the lists (P-1). */
const jitterShare = 1 / 23;

/** Tells each worker when it is its turn to be probed (P-1..P-5, K-2). */
export class ProbePacing {
  readonly #options: ProbePacingOptions;
  readonly #pacer: ProbePacer;
  #timer: unknown;
  #timerAt = Infinity;
  #isStopped = false;

  constructor(options: ProbePacingOptions) {
    this.#options = options;
    this.#pacer = new ProbePacer(this.#rate(), options.clock.now());
  }

  /** A round ended: the next one is due an interval after its start, soon while the instance boots. */
  rested(instanceId: string): void {
    const { clock, roster, probeIntervalMs, bootProbeIntervalMs, random } = this.#options;
    const snapshot = roster.get(instanceId)?.actor.getSnapshot();
    if (!snapshot) return;
    const isBooting = workerStateOf(snapshot) === 'booting';
    const intervalMs = isBooting ? bootProbeIntervalMs : probeIntervalMs * (1 + jitterShare * random());
    const dueAt = Math.max(clock.now(), snapshot.context.round.startedAt + intervalMs);
    this.#schedule(instanceId, dueAt, isBooting);
  }

  /** The next round should begin at once. */
  wanted(instanceId: string): void {
    this.#schedule(instanceId, this.#options.clock.now(), true);
  }

  gone(instanceId: string): void {
    this.#pacer.remove(instanceId);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timerClock.clearTimeout(this.#timer);
  }

  #schedule(instanceId: string, dueAt: number, isUrgent: boolean): void {
    this.#pacer.schedule(instanceId, dueAt, isUrgent);
    this.#arm();
  }

  #arm(): void {
    const now = this.#options.clock.now();
    const at = this.#pacer.nextAt(now);
    if (this.#isStopped || at === undefined || at >= this.#timerAt) return;
    this.#timerClock.clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = this.#timerClock.setTimeout(() => this.#serve(), at - now);
  }

  #serve(): void {
    this.#timerAt = Infinity;
    const now = this.#options.clock.now();
    this.#pacer.setRate(this.#rate(), now);
    const { roster, shortcut } = this.#options;
    const known: string[] = [];
    for (const instanceId of this.#pacer.take(now)) {
      if (shortcut?.isKnown(instanceId)) known.push(instanceId);
      else roster.send(instanceId, { type: 'probe.due' });
    }
    this.#arm();
    for (const instanceId of known) shortcut?.pass(instanceId, () => this.rested(instanceId));
  }

  get #timerClock(): Clock {
    return this.#options.shortcut?.clock ?? this.#options.clock;
  }

  #rate(): number {
    const { maxProbesPerSecond, roster, probeIntervalMs } = this.#options;
    return maxProbesPerSecond === 'auto' ? autoProbeRate(roster.size, probeIntervalMs) : maxProbesPerSecond;
  }
}
