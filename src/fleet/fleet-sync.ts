import type { Clock } from '../domain/clock.js';
import { fingerprintOfTag } from '../domain/ids.js';
import type { Instance } from '../domain/instance.js';
import type { CloudFailure } from '../machines/cloud-effects.js';
import type { LaunchOutput } from '../machines/launch.js';
import type { Roster } from '../machines/supervisor.js';
import type { CreateLimits, InstanceCounts } from './create-limits.js';
import type { Launches } from './pending-launches.js';
import type { WorkerRoster } from './worker-registry.js';

/** Receives what lists and create calls come to. None of these may throw. */
export interface SyncObserver {
  loaded(count: number): void;
  listFailed(error: CloudFailure): void;
  launchSettled(output: LaunchOutput): void;
}

export interface FleetSyncOptions {
  clock: Clock;
  roster: WorkerRoster;
  launches: Launches;
  limits: CreateLimits;
  observer: SyncObserver;
  secretTagKey: string;
  counts(): InstanceCounts;
  /** Something changed that others may wait for. */
  changed(): void;
}

/** So many instances of the first list get their workers before others have a turn, or as many as go in that time. */
const firstListSlice = { instances: 100, ms: 10 };

/** Brings the workers in line with the provider's lists and with create calls that returned: what the supervisor asks for. */
export class FleetSync implements Roster {
  /** Resolves when the first list was taken in (L-33). */
  readonly loaded: Promise<void>;
  readonly #options: FleetSyncOptions;
  #announceLoaded: () => void = () => {};
  #isLoaded = false;
  #restOfList: unknown;

  constructor(options: FleetSyncOptions) {
    this.#options = options;
    this.loaded = new Promise((resolve) => (this.#announceLoaded = resolve));
  }

  stop(): void {
    this.#options.clock.clearTimeout(this.#restOfList);
  }

  beginList(): void {
    this.#options.roster.beginList();
  }

  reconcile(instances: readonly Instance[]): void {
    // A newer list takes the place of what is left of the first one.
    this.#options.clock.clearTimeout(this.#restOfList);
    this.#take(instances, 0);
  }

  /** The first list goes by slices: after a start, making the workers of a large fleet takes seconds in all. */
  #take(instances: readonly Instance[], from: number): void {
    const { clock, roster, limits, observer, secretTagKey } = this.#options;
    const most = this.#isLoaded ? Infinity : from + firstListSlice.instances;
    const endAt = this.#isLoaded ? Infinity : clock.now() + firstListSlice.ms;
    let next = from;
    while (next < Math.min(most, instances.length) && clock.now() < endAt) {
      const instance = instances[next++]!;
      const { expected, launch, ...origin } = this.#options.launches.recognise(
        fingerprintOfTag(instance.tags[secretTagKey] ?? ''),
      );
      roster.see(instance, expected, origin);
      if (launch) launch.isListed = true;
    }
    if (next < instances.length) {
      this.#restOfList = clock.setTimeout(() => this.#take(instances, next), 0);
      return;
    }
    roster.retireMissing(new Set(instances.map((instance) => instance.id)));
    limits.synced(this.#options.counts());
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    observer.loaded(roster.size);
    this.#announceLoaded();
    this.#options.changed();
  }

  listFailed(error: CloudFailure): void {
    this.#options.limits.listRefused(error);
    this.#options.observer.listFailed(error);
  }

  settleLaunch(output: LaunchOutput): void {
    const { roster, limits, observer } = this.#options;
    const { outcome } = output;
    if (outcome.ok) {
      const { launchId } = output;
      const createdAt = this.#options.launches.get(launchId)?.startedAt;
      roster.see(outcome.instance, true, { recorded: true, launchId, createdAt });
    }
    this.#options.launches.end(output.launchId);
    if (outcome.ok) limits.succeeded(output);
    else limits.createRefused(output, outcome.error, this.#options.counts());
    observer.launchSettled(output);
    this.#options.changed();
  }

  launchBroke(launchId: string, error: unknown): void {
    const launch = this.#options.launches.get(launchId);
    if (!launch) return;
    const failure = { code: 'unavailable' as const, message: String(error) };
    this.settleLaunch({ ...launch, outcome: { ok: false, error: failure } });
  }

  replace(instanceId: string): void {
    this.#options.roster.replace(instanceId);
    this.#options.changed();
  }

  awaitsNews(): boolean {
    const { roster } = this.#options;
    // A list that comes before the first one is taken in would only be in its way.
    if (!this.#isLoaded) return false;
    if (roster.misses() || !roster.isComplete()) return true;
    return roster.views
      .instances()
      .some(({ address, workerState }) => address === '' || workerState === 'shutdown');
  }

  listHoldMs(): number {
    return this.#options.limits.listHoldMs();
  }
}
