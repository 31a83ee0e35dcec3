import type { WorkerState } from '../domain/instance.js';
import { runnersOf, viewOfWorker } from './worker-views.js';
import type { InstanceView, RunningView } from '../domain/instance-view.js';
import type { WorkerEntry } from './worker-entry.js';

/** One worker as it was when somebody last looked. */
interface Seen {
  view: InstanceView;
  runners: readonly (readonly [string, RunningView])[];
  /** Not yet asked what runs there; other states without an answer count as `unknown` as well. */
  isUnknown: boolean;
}

/** The fleet as every pass of the dispatcher looks at it: only workers that changed since are looked at again. */
export class FleetViews {
  readonly #seen = new Map<string, Seen>();
  readonly #changed = new Set<WorkerEntry>();
  #counts = none();
  /** Ids in byte order; `undefined`: some came or went. */
  #order: readonly string[] | undefined;
  /** `undefined`: some began or ended. */
  #running: ReadonlyMap<string, RunningView> | undefined;
  #doubles: readonly (RunningView & { uuid: string })[] = [];

  changed(entry: WorkerEntry): void {
    this.#changed.add(entry);
  }

  gone(entry: WorkerEntry): void {
    this.#changed.delete(entry);
    const before = this.#seen.get(entry.instance.id);
    if (!before) return;
    this.#seen.delete(entry.instance.id);
    this.#counts[before.view.workerState]--;
    this.#order = this.#running = undefined;
  }

  clear(): void {
    this.#changed.clear();
    this.#seen.clear();
    this.#counts = none();
    this.#order = this.#running = undefined;
  }

  /** By id, in byte order (L-32). */
  instances(): InstanceView[] {
    const seen = this.#upToDate();
    this.#order ??= [...seen.keys()].sort();
    return this.#order.map((id) => seen.get(id)!.view);
  }

  /** What has a process on an instance. The same map until that changes, and never changed. */
  running(): ReadonlyMap<string, RunningView> {
    const seen = this.#upToDate();
    if (this.#running) return this.#running;
    const running = new Map<string, RunningView>();
    const doubles: (RunningView & { uuid: string })[] = [];
    for (const { runners } of seen.values()) {
      for (const [uuid, view] of runners) {
        const known = running.get(uuid);
        // A result that an earlier attempt left is on its way; a process on another instance counts.
        const isBetter = known === undefined || (known.phase === 'ending' && view.phase !== 'ending');
        if (known) doubles.push({ ...(isBetter ? known : view), uuid });
        if (isBetter) running.set(uuid, view);
      }
    }
    this.#doubles = doubles;
    return (this.#running = running);
  }

  /** Further processes of containers that `running` has on another instance. */
  doubles(): readonly (RunningView & { uuid: string })[] {
    this.running();
    return this.#doubles;
  }

  counts(): Record<WorkerState, number> {
    this.#upToDate();
    return { ...this.#counts };
  }

  hasUnknown(): boolean {
    for (const { isUnknown } of this.#upToDate().values()) if (isUnknown) return true;
    return false;
  }

  #upToDate(): ReadonlyMap<string, Seen> {
    for (const entry of this.#changed) {
      const snapshot = entry.actor.getSnapshot();
      const { id } = entry.instance;
      const before = this.#seen.get(id);
      const runners = runnersOf(snapshot);
      if (!before) this.#order = undefined;
      if (!isSame(before?.runners ?? [], runners)) this.#running = undefined;
      const view = viewOfWorker(snapshot);
      if (before) this.#counts[before.view.workerState]--;
      this.#counts[view.workerState]++;
      this.#seen.set(id, {
        view,
        runners,
        isUnknown: snapshot.value.lifecycle === 'unknown',
      });
    }
    this.#changed.clear();
    return this.#seen;
  }
}

const none = (): Record<WorkerState, number> => ({
  unknown: 0,
  booting: 0,
  idle: 0,
  running: 0,
  shutdown: 0,
});

function isSame(before: Seen['runners'], after: Seen['runners']): boolean {
  return (
    before.length === after.length &&
    before.every(([uuid, { phase, attempt }], at) => {
      const [otherUuid, other] = after[at]!;
      return otherUuid === uuid && other.phase === phase && other.attempt === attempt;
    })
  );
}
