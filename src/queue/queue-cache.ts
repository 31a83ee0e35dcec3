import type { Container, ResourceNeeds } from '../domain/container.js';
import { isFinal } from '../domain/container.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { QueueEntry, QueueSnapshot } from '../domain/queue-entry.js';

/** What a container needs and which types fit it, or why none does. */
export type SizeContainer = (
  container: Container,
) =>
  | { needs: ResourceNeeds; instanceTypes: readonly InstanceType[] }
  | { needs: ResourceNeeds; unsatisfiable: string };

/** A waiting container that no configured type fits: not in the cache, to be cancelled with the reason. */
export interface Misfit {
  container: Container;
  reason: string;
}

/** What one update reads. A later record of a container overrides an earlier one. */
export interface Fetch {
  /** Small enough to be taken over without holding others up; the event loop turns between two. */
  batches: AsyncIterable<readonly Container[]>;
  /** True: a known container that is not in any batch is dropped. False: it is unchanged. */
  isComplete: boolean;
  /** Called once the cache holds what was read. */
  applied?(): void;
}

/** What the owner of a cache may change of a container. */
export type CacheChange = Partial<
  Pick<Container, 'state' | 'priority' | 'scheduling' | 'instanceId' | 'attempt'>
>;

export interface QueueCacheOptions {
  /** Reads anew; a rejection, also of its batches, drops the whole update. */
  fetch(known: ReadonlyMap<string, QueueEntry>): Fetch | Promise<Fetch>;
  size: SizeContainer;
  /** Lets others have their turn. */
  turn(): Promise<void>;
  /** Epoch ms. */
  now(): number;
  /** The owner cancels them, in its own time. */
  onMisfits(misfits: Misfit[]): void;
  /** A container that cannot be sized: it is passed over. */
  onFault(uuid: string, error: unknown): void;
  /** Told of each one that an update did not find any more, as last known. */
  onDropped?(container: Container): void;
}

/** Records on their way into the cache, and what was changed here in the meantime. */
interface Staging {
  entries: Map<string, QueueEntry>;
  misfits: Map<string, Misfit>;
  /** Newer knowledge than what is being read. */
  touched: Set<string>;
}

const turnEvery = 500;
/** More are not kept apart. */
const mostChanges = 10_000;

/** The containers a dispatcher deals with, as last heard of (Q-1..Q-16, Q-22..Q-27); for any kind of queue. */
export class QueueCache {
  readonly #options: QueueCacheOptions;
  readonly #listeners = new Set<() => void>();
  readonly #stagings = new Set<Staging>();
  #entries = new Map<string, QueueEntry>();
  /** What changed since somebody asked; `undefined`: more than is kept. */
  #changes: Set<string> | undefined;
  #threshold = 0;
  #seenAt = 0;
  /** Someone holds the map: the next change is made in a copy. */
  #isShared = false;
  #isNotifying = false;
  #waiting: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: QueueCacheOptions) {
    this.#options = options;
  }

  get(uuid: string): QueueEntry | undefined {
    return this.#entries.get(uuid);
  }

  /** The ids of entries that came, went or changed since the last call; `undefined`: any of them. */
  takeChanges(): ReadonlySet<string> | undefined {
    const changes = this.#changes;
    this.#changes = new Set();
    return changes;
  }

  /** For those who are done with it at once: no copy is made for them. */
  peek(): QueueSnapshot {
    return { entries: this.#entries, threshold: this.#threshold };
  }

  /** Does not change any more, whatever happens to the cache. */
  snapshot(): QueueSnapshot {
    this.#isShared = true;
    return { entries: this.#entries, threshold: this.#threshold };
  }

  /**
   * Fetches anew and takes over what was read, all or nothing. One at a time; all that ask while one runs share the
   * next one (Q-10..Q-15).
   */
  update(): Promise<void> {
    this.#waiting ??= this.#running.then(() => {
      this.#waiting = undefined;
      const run = this.#update();
      this.#running = run.catch(() => {});
      return run;
    });
    return this.#waiting;
  }

  /** Takes over records that the owner itself just made. Returns those that can never run, and leaves them out. */
  async absorb(containers: readonly Container[]): Promise<Misfit[]> {
    const staging = this.#beginStaging();
    try {
      for (let from = 0; from < containers.length; from += turnEvery) {
        if (from > 0) await this.#options.turn();
        this.#stage(staging, containers.slice(from, from + turnEvery));
      }
      this.#applyChanges(staging);
    } finally {
      this.#stagings.delete(staging);
    }
    for (const { uuid } of containers) this.#touch(uuid);
    this.#notify();
    return [...staging.misfits.values()];
  }

  /** The owner changed the container: nothing read earlier overrides that. */
  changed(uuid: string, change: CacheChange): void {
    this.#touch(uuid);
    const known = this.#entries.get(uuid);
    if (!known) return;
    this.#own().set(uuid, { ...known, container: { ...known.container, ...change } });
    this.#note(uuid);
    this.#notify();
  }

  /** Drops it when it is final, or Queued with priority 0. */
  forget(uuid: string): void {
    const container = this.#entries.get(uuid)?.container;
    if (!container) return;
    if (!isFinal(container.state) && (container.state !== 'Queued' || container.priority !== 0n)) return;
    this.#touch(uuid);
    this.#own().delete(uuid);
    this.#note(uuid);
  }

  /** They are not there any more; this stands whatever becomes of an update under way. */
  drop(uuids: readonly string[]): void {
    if (!uuids.some((uuid) => this.#entries.has(uuid))) return;
    for (const uuid of uuids) {
      this.#own().delete(uuid);
      this.#note(uuid);
    }
    this.#notify();
  }

  /** Many changes at once as one call, never inside the change. Returns the end of it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends all subscriptions, and resolves when no update runs any more. */
  async stop(): Promise<void> {
    this.#listeners.clear();
    await this.#waiting?.catch(() => {});
    await this.#running;
  }

  async #update(): Promise<void> {
    const { fetch, turn, now, onMisfits } = this.#options;
    const startedAt = now();
    const staging = this.#beginStaging();
    try {
      const { batches, isComplete, applied } = await fetch(this.#entries);
      for await (const batch of batches) {
        this.#stage(staging, batch);
        await turn();
      }
      if (isComplete) this.#applyAll(staging);
      else this.#applyChanges(staging);
      this.#threshold = Math.max(this.#threshold, startedAt);
      applied?.();
    } finally {
      this.#stagings.delete(staging);
    }
    this.#notify();
    const misfits = [...staging.misfits.values()].filter(
      ({ container: { uuid } }) => !staging.touched.has(uuid),
    );
    if (misfits.length > 0) onMisfits(misfits);
  }

  #beginStaging(): Staging {
    const staging: Staging = { entries: new Map(), misfits: new Map(), touched: new Set() };
    this.#stagings.add(staging);
    return staging;
  }

  #stage(staging: Staging, containers: readonly Container[]): void {
    // In the order of the scheduler, of equal age by id, so that it need not sort them again at each pass.
    const seenAt = this.#nextSeenAt();
    for (const container of [...containers].sort(byUuid)) {
      const { uuid } = container;
      staging.entries.delete(uuid);
      staging.misfits.delete(uuid);
      if (staging.touched.has(uuid)) continue;
      try {
        const sized = this.#sized(container, seenAt);
        if (sized === undefined) continue;
        if ('reason' in sized) staging.misfits.set(uuid, sized);
        else staging.entries.set(uuid, sized);
      } catch (error) {
        this.#options.onFault(uuid, error);
      }
    }
  }

  /** A known entry with its new record; a new one, or why it has no place here. */
  #sized(container: Container, firstSeenAt: number): QueueEntry | Misfit | undefined {
    const known = this.#entries.get(container.uuid);
    if (known) return { ...known, container };
    if (isFinal(container.state)) return undefined;
    const sizing = this.#options.size(container);
    const isMisfit = 'unsatisfiable' in sizing;
    if (isMisfit && container.state !== 'Running') return { container, reason: sizing.unsatisfiable };
    return {
      container,
      needs: sizing.needs,
      instanceTypes: isMisfit ? [] : sizing.instanceTypes,
      firstSeenAt,
    };
  }

  /** Each batch is later than the one before, if only by a millisecond. */
  #nextSeenAt(): number {
    this.#seenAt = Math.max(this.#options.now(), this.#seenAt + 1);
    return this.#seenAt;
  }

  #applyChanges({ entries, touched }: Staging): void {
    if (entries.size === 0) return;
    const own = this.#own();
    for (const [uuid, entry] of entries) {
      if (touched.has(uuid)) continue;
      own.set(uuid, entry);
      this.#note(uuid);
    }
  }

  #applyAll({ entries, touched }: Staging): void {
    for (const uuid of touched) {
      const known = this.#entries.get(uuid);
      if (known) entries.set(uuid, known);
      else entries.delete(uuid);
    }
    const before = this.#entries;
    this.#entries = entries;
    this.#changes = undefined;
    this.#isShared = false;
    const { onDropped } = this.#options;
    if (!onDropped) return;
    for (const [uuid, { container }] of before) if (!entries.has(uuid)) onDropped(container);
  }

  #note(uuid: string): void {
    this.#changes?.add(uuid);
    if (this.#changes && this.#changes.size > mostChanges) this.#changes = undefined;
  }

  #touch(uuid: string): void {
    for (const { touched } of this.#stagings) touched.add(uuid);
  }

  #own(): Map<string, QueueEntry> {
    if (this.#isShared) this.#entries = new Map(this.#entries);
    this.#isShared = false;
    return this.#entries;
  }

  #notify(): void {
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    queueMicrotask(() => {
      this.#isNotifying = false;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}

function byUuid(a: Container, b: Container): number {
  return a.uuid < b.uuid ? -1 : 1;
}
