import type { IdleBehavior, WorkerState } from '../../domain/instance.js';
import { CloudModel } from './cloud-model.js';
import { ContainerModel } from './container-model.js';
import type { Invariant, Violation } from './invariants.js';
import { QueueModel } from './queue-model.js';
import { SteadyTime } from './monotonic-time.js';
import type { FleetLimits } from './fleet-limits.js';

/** A worker after one of its steps. */
export interface WorkerSight {
  at: number;
  instance: string;
  /** The event of the step. */
  event: string;
  state: WorkerState;
  behavior: IdleBehavior;
  /** An orphan: reported, and left alone until an operator decides. */
  isOrphan?: boolean;
  /** All that are dealt with there. */
  containers: readonly string[];
  /** Those of them that have, or may have, a process there: not one whose result is on its way. Default: all. */
  alive?: readonly string[];
}

interface Known extends Omit<WorkerSight, 'event'> {
  /** When it entered this state, or its behavior changed; monotonic ms. */
  since: number;
  /** When it last responded; monotonic ms. */
  heardAt: number;
  hasBootOutcome: boolean;
}

/** Longer than every bound: a busy machine, a slow store. */
const graceMs = 60_000;

/**
 * A model of allowed fleet behaviour that shares no code with the charts: it receives facts as they happen, and reports
 * violated invariants. The running daemon and the simulation use the same model.
 */
export class FleetModel {
  readonly #limits: FleetLimits;
  readonly #violated: (violation: Violation) => void;
  readonly #time = new SteadyTime();
  readonly #workers = new Map<string, Known>();
  readonly containers: ContainerModel;
  readonly cloud: CloudModel;
  readonly queue: QueueModel;

  /** `violated` must not throw. */
  constructor(limits: FleetLimits, violated: (violation: Violation) => void) {
    this.#limits = limits;
    this.#violated = violated;
    this.containers = new ContainerModel(violated);
    this.queue = new QueueModel(this.#time, violated);
    this.cloud = new CloudModel(limits, this.#time, (id) => this.#workers.get(id)?.state, violated);
  }

  /** Records a new worker of an instance, or one that replaced a worker that threw. */
  began(sight: Omit<WorkerSight, 'event'>, fingerprint: string): void {
    const since = this.#time.at(sight.at);
    this.#workers.set(sight.instance, { ...sight, since, heardAt: since, hasBootOutcome: false });
    this.cloud.recorded(sight.instance, fingerprint);
    if (sight.state === 'shutdown') this.cloud.isLeaving(sight.instance, since);
  }

  /** Records a change of a worker's state, behavior or containers. */
  stepped(sight: WorkerSight): void {
    const { at, instance, state, behavior, containers, alive = containers } = sight;
    const since = this.#time.at(at);
    const before = this.#workers.get(instance);
    if (!before) return;
    this.#judgeStep(before, sight);
    const [now, earlier] = [new Set(alive), new Set(before.alive ?? before.containers)];
    for (const uuid of now) {
      if (earlier.has(uuid)) continue;
      this.#judgeNewWork(before, sight, uuid);
      this.containers.isAt(uuid, instance, at, sight.event === 'container.assigned');
    }
    for (const uuid of earlier) {
      if (!now.has(uuid)) this.containers.left(uuid, instance);
    }
    const isSame = before.state === state && before.behavior === behavior;
    Object.assign(before, { at, state, behavior, containers, alive, isOrphan: sight.isOrphan ?? false });
    if (!isSame) before.since = since;
    const isOrdered = sight.event === 'operator.kill';
    if (state === 'shutdown' && (!isSame || isOrdered)) this.cloud.isLeaving(instance, since);
  }

  /** Records that an idle instance is kept ready longer. */
  kept(at: number, instance: string): void {
    const worker = this.#workers.get(instance);
    if (worker?.state === 'idle') worker.since = this.#time.at(at);
  }

  /** Records a response of the instance to a probe round. */
  heard(at: number, instance: string): void {
    const worker = this.#workers.get(instance);
    if (worker) worker.heardAt = this.#time.at(at);
  }

  /** Records a transition with its journalled cause. */
  explained(at: number, instance: string, transition: string, because: string | undefined): void {
    if (because === undefined || because === '')
      this.#violate('cause-is-given', at, `${instance} went ${transition} and nobody knows why`, instance);
  }

  bootDecided(at: number, instance: string, outcome: string): void {
    const worker = this.#workers.get(instance);
    if (worker?.hasBootOutcome)
      this.#violate('one-boot-outcome', at, `its boot ended once more: ${outcome}`, instance);
    if (worker) worker.hasBootOutcome = true;
  }

  /** Records that the instance left the list, and its worker ended. */
  gone(instance: string): void {
    for (const uuid of this.#workers.get(instance)?.containers ?? []) this.containers.left(uuid, instance);
    this.#workers.delete(instance);
    this.cloud.gone(instance, this.#workers.size);
  }

  /** Records a list, and checks for overdue waits. */
  listed(at: number, instances: readonly string[]): void {
    this.cloud.listed(at, instances, (id) => this.#workers.has(id));
    this.check(at);
  }

  /** Checks for overdue waits; call it about once per minute. */
  check(at: number): void {
    const now = this.#time.at(at);
    for (const worker of this.#workers.values()) this.#judgeWait(worker, at, now);
    this.cloud.check(at, now, this.#workers.size);
  }

  #judgeStep(before: Known, { at, instance, event, state, behavior, containers }: WorkerSight): void {
    if (before.state === 'shutdown' && state !== 'shutdown')
      this.#violate('shutdown-is-final', at, `${instance} went from shutdown to ${state}`, instance);
    const isTakenDown = state === 'shutdown' && before.state !== 'shutdown' && behavior === 'hold';
    if (isTakenDown && event !== 'operator.kill')
      this.#violate('hold-is-kept', at, `${instance} is on hold and is destroyed by ${event}`, instance);
    if (before.behavior === 'hold' && behavior !== 'hold' && !event.startsWith('operator.'))
      this.#violate('hold-is-kept', at, `${instance} was on hold until ${event} came`, instance);
    const isWrong = containers.length > 0 ? state === 'idle' : state === 'running';
    if (isWrong)
      this.#violate(
        'service-state',
        at,
        `${instance} is ${state} with ${containers.length} containers`,
        instance,
      );
  }

  #judgeNewWork(before: Known, { at, instance, event }: WorkerSight, uuid: string): void {
    if (event !== 'container.assigned') return;
    const serves = before.state === 'idle' || before.state === 'running';
    if (serves && before.behavior === 'run') return;
    const what = `${instance} is ${before.state} with behavior ${before.behavior} and was given ${uuid}`;
    this.#violate('no-new-work', at, what, instance, uuid);
  }

  #judgeWait(worker: Known, at: number, now: number): void {
    const { instance, state, behavior } = worker;
    const { fromAt, boundMs } = this.#boundOf(worker);
    const forMs = now - fromAt;
    if (forMs <= boundMs) return;
    const [seconds, most] = [Math.round(forMs / 1_000), Math.round(boundMs / 1_000)];
    const what = `${instance} (${behavior}) is ${state} for ${seconds} s, and ${most} s is the most`;
    this.#violate('waits-end', at, what, instance);
    worker.since = now;
    worker.heardAt = now;
  }

  /** Returns the maximum time in the current state, and its start; a shutdown is judged by its destroy calls. */
  #boundOf({ state, behavior, isOrphan, since, heardAt }: Known): { fromAt: number; boundMs: number } {
    const { timeoutBootingMs, timeoutIdleMs, timeoutProbeMs, longestRoundMs, maxProbesPerSecond } =
      this.#limits;
    if (behavior === 'hold' || state === 'shutdown' || isOrphan) return { fromAt: since, boundMs: Infinity };
    if (state === 'idle') {
      return { fromAt: since, boundMs: (behavior === 'drain' ? 0 : timeoutIdleMs) + graceMs };
    }
    // At least one of three turns is not for booting instances.
    const inLineMs = maxProbesPerSecond > 0 ? (this.#workers.size * 3_000) / maxProbesPerSecond : 0;
    const roundsMs = 2 * (longestRoundMs + inLineMs) + graceMs;
    if (state === 'booting') return { fromAt: since, boundMs: timeoutBootingMs + roundsMs };
    const silenceMs = state === 'unknown' ? timeoutBootingMs : timeoutProbeMs;
    return { fromAt: Math.max(since, heardAt), boundMs: silenceMs + roundsMs };
  }

  #violate(invariant: Invariant, at: number, what: string, instance: string, container?: string): void {
    this.#violated({ invariant, at, what, instance, ...(container === undefined ? {} : { container }) });
  }
}
