import { createActor, type InspectionEvent, type Observer } from 'xstate';
import type { Clock } from '../domain/clock.js';
import type { Instance } from '../domain/instance.js';
import type { Sighting } from '../domain/sighting.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { workerMachine, WorkerActor, WorkerSnapshot } from '../machines/worker.js';
import type { WorkerEvent, WorkerFact, WorkerSettings } from '../machines/worker-model.js';
import { FleetViews } from './fleet-view-cache.js';
import { stampTimers } from '../machines/inspection/pending-timers.js';
import type { InstanceOrigin, WorkerEntry } from './worker-entry.js';

/** Keeps the connection of each instance. */
export interface ConnectionKeeper {
  add(instance: Instance, type: InstanceType): void;
  update(instance: Instance): void;
  remove(instanceId: string): void;
}

/** Told of all that happens to workers. None of these may throw. */
export interface RosterObserver {
  appeared(entry: WorkerEntry): void;
  fact(entry: WorkerEntry, fact: WorkerFact): void;
  /** The worker's actor threw: a bug of ours. */
  broke(entry: WorkerEntry, error: unknown): void;
  replaced(entry: WorkerEntry): void;
  /** The instance left the list, or the pool stops; `last` is what the worker knew then. */
  retired(entry: WorkerEntry, last: WorkerSnapshot): void;
}

/** Who is to be told of all that XState does for a worker; `undefined`: nobody, and it costs nothing. */
export type WorkerInspection = (
  instanceId: string,
  typeName: string,
) => Observer<InspectionEvent> | undefined;

export interface WorkerRosterOptions {
  clock: Clock;
  /** With its effects provided. */
  machine: typeof workerMachine;
  settings: WorkerSettings;
  connections: ConnectionKeeper;
  observer: RosterObserver;
  /** What earlier daemons kept of the instance; not given: nothing. */
  sighting?(instanceId: string): Sighting | undefined;
  /** Not given: none is inspected. */
  inspection?: WorkerInspection | undefined;
  /**
   * So many lists in a row that do not have an instance, and as much time between them, without an answer of it: then
   * it is taken for gone. Lists lag behind, and leave instances out (K-6).
   */
  missing: { lists: number; graceMs: number };
  /** The configured type of that name. */
  typeNamed(name: string): { type: InstanceType; isConfigured: boolean };
}

/**
 * The workers, each the root of its own actor system, so that none can take another down and adding one costs the same
 * however many there are.
 */
export class WorkerRoster {
  readonly views = new FleetViews();
  readonly #options: WorkerRosterOptions;
  readonly #entries = new Map<string, WorkerEntry>();
  #listNumber = 0;
  #listedAt = 0;
  #listsRead = 0;
  #firstListedAt = 0;
  /** Destroyed and off the list while lists may still leave instances out. */
  readonly #sawGo = new Set<string>();

  constructor(options: WorkerRosterOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(instanceId: string): WorkerEntry | undefined {
    return this.#entries.get(instanceId);
  }

  entries(): IterableIterator<WorkerEntry> {
    return this.#entries.values();
  }

  snapshots(): WorkerSnapshot[] {
    return Array.from(this.#entries.values(), (entry) => entry.actor.getSnapshot());
  }

  send(instanceId: string, event: WorkerEvent): void {
    this.#entries.get(instanceId)?.actor.send(event);
  }

  /** A list call begins: instances that appear from now on may be missing in its answer (L-22). */
  beginList(): void {
    this.#listNumber++;
    this.#listedAt = this.#options.clock.now();
  }

  /** The instance exists. One that is known takes over what changed (W-5); any other gets a worker (W-1). */
  see(instance: Instance, expected: boolean, origin: InstanceOrigin = { recorded: true }): WorkerEntry {
    const known = this.#entries.get(instance.id);
    if (!known) return this.#add(instance, expected, origin);
    known.missed = 0;
    known.instance = instance;
    if (isSameSighting(known.actor.getSnapshot().context.instance, instance)) return known;
    this.#options.connections.update(instance);
    known.actor.send({ type: 'instance.listed', instance });
    return known;
  }

  /** Retires what the list does not have, once that is beyond doubt (L-24, K-6). */
  retireMissing(listed: ReadonlySet<string>): void {
    if (this.#listsRead++ === 0) this.#firstListedAt = this.#listedAt;
    for (const entry of [...this.#entries.values()]) {
      if (listed.has(entry.instance.id) || entry.appearedInList >= this.#listNumber) continue;
      const { destroyConfirmed, probedAt } = entry.actor.getSnapshot().context;
      // What answers is there, whatever a list says.
      if (entry.missed === 0 || probedAt > entry.missedSince) {
        entry.missed = 0;
        entry.missedSince = this.#listedAt;
      }
      entry.missed++;
      const { lists, graceMs } = this.#options.missing;
      const isOverdue = entry.missed >= lists && this.#listedAt - entry.missedSince >= graceMs;
      if (destroyConfirmed) this.#sawGo.add(entry.instance.id);
      if (destroyConfirmed || isOverdue) this.#retire(entry);
    }
    if (this.isComplete()) this.#sawGo.clear();
  }

  /** As many lists arrived, over as much time, as one that is left out of lists is waited for: what is there was seen. */
  isComplete(): boolean {
    const { lists, graceMs } = this.#options.missing;
    return this.#listsRead >= lists && this.#listedAt - this.#firstListedAt >= graceMs;
  }

  /** Whether that instance may be there though no list of this process shows it, or shows it no more. */
  mayMiss(instanceId: string): boolean {
    return !this.isComplete() && !this.#entries.has(instanceId) && !this.#sawGo.has(instanceId);
  }

  /** Some instance was not in the last list, and nobody knows yet whether it is gone. */
  misses(): boolean {
    for (const { missed, missedSince, actor } of this.#entries.values()) {
      if (missed > 0 && actor.getSnapshot().context.probedAt <= missedSince) return true;
    }
    return false;
  }

  /** A fresh worker, in `unknown`, for an instance whose worker broke. */
  replace(instanceId: string): void {
    const entry = this.#entries.get(instanceId);
    if (!entry || entry.actor.getSnapshot().status !== 'error') return;
    entry.actor = this.#createActor(entry, false);
    this.views.changed(entry);
    this.#options.observer.replaced(entry);
    entry.actor.start();
  }

  /** Ends the actors; the instances live on (L-34). */
  stop(): void {
    for (const entry of this.#entries.values()) {
      entry.actor.stop();
      this.#options.connections.remove(entry.instance.id);
    }
    this.#entries.clear();
    this.views.clear();
  }

  #add(instance: Instance, expected: boolean, origin: InstanceOrigin): WorkerEntry {
    const { connections, observer, settings, typeNamed } = this.#options;
    const { type, isConfigured } = typeNamed(instance.tags[settings.tagKeys.instanceType] ?? '');
    const sighting = this.#options.sighting?.(instance.id);
    // A type that left the configuration has no price but the one that it had.
    const price = isConfigured ? type.price : (sighting?.pricePerHour ?? type.price);
    const entry = {
      instance,
      instanceType: price === type.price ? type : { ...type, price },
      origin: { ...origin, createdAt: sighting?.firstSeenAt ?? origin.createdAt },
      appearedInList: this.#listNumber,
      missed: 0,
      missedSince: 0,
      breakdowns: 0,
    } as WorkerEntry;
    connections.add(instance, entry.instanceType);
    entry.actor = this.#createActor(entry, expected);
    this.#entries.set(instance.id, entry);
    this.views.changed(entry);
    observer.appeared(entry);
    entry.actor.start();
    return entry;
  }

  #createActor(entry: WorkerEntry, expected: boolean): WorkerActor {
    const { clock, inspection, machine, observer, settings, typeNamed } = this.#options;
    const { instance, instanceType } = entry;
    const { isConfigured } = typeNamed(instanceType.name);
    const { recorded = true, createdAt } = entry.origin ?? {};
    const input = {
      clock,
      settings,
      instance,
      instanceType,
      typeIsConfigured: isConfigured,
      expected,
      recorded,
      ...(createdAt === undefined ? {} : { createdAt }),
    };
    const inspect = inspection?.(instance.id, instanceType.name);
    const actor = createActor(machine, { id: instance.id, clock, input, ...(inspect && { inspect }) });
    stampTimers(actor, clock);
    actor.on('*', (fact) => observer.fact(entry, fact));
    actor.subscribe({
      next: () => this.views.changed(entry),
      error: (error) => {
        entry.breakdowns++;
        this.views.changed(entry);
        stopChildren(actor);
        observer.broke(entry, error);
      },
    });
    return actor;
  }

  #retire(entry: WorkerEntry): void {
    const last = entry.actor.getSnapshot();
    entry.actor.send({ type: 'instance.missing' });
    entry.actor.stop();
    this.#entries.delete(entry.instance.id);
    this.views.gone(entry);
    this.#options.connections.remove(entry.instance.id);
    this.#options.observer.retired(entry, last);
  }
}

/** XState lets the effects and containers' actors of one that broke live on, with nobody to hear them. */
function stopChildren(actor: WorkerActor): void {
  const { children } = actor.getSnapshot() as Partial<WorkerSnapshot>;
  for (const child of Object.values(children ?? {})) child?.send({ type: 'xstate.stop' });
}

function isSameSighting(a: Instance, b: Instance): boolean {
  return (
    a.address === b.address &&
    a.remoteUser === b.remoteUser &&
    a.displayName === b.displayName &&
    a.quarantine?.at === b.quarantine?.at &&
    isSameRecord(a.tags, b.tags) &&
    a.priceHistory.length === b.priceHistory.length &&
    a.priceHistory[0]?.startAt === b.priceHistory[0]?.startAt &&
    a.priceHistory[0]?.price === b.priceHistory[0]?.price
  );
}

function isSameRecord(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
