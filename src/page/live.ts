import { ask, LoggedOut } from './api.js';
import type { InstanceBody, JournalEntry, Summary } from './wire.js';

interface Changes {
  instances: InstanceBody[];
  gone: string[];
  launches: InstanceBody[];
  containers: string[];
  /** More containers changed than the event lists. */
  manyContainers: boolean;
  entries: JournalEntry[];
  skipped: number;
}

const longestTicker = 200;
const mostContainers = 20_000;

/**
 * The fleet, updated by the daemon's event stream. After a lost connection the stream resumes; when too many events were
 * missed, everything is fetched again.
 */
export class Fleet {
  instances = new Map<string, InstanceBody>();
  launches: InstanceBody[] = [];
  summary: Summary | undefined;
  ticker: (JournalEntry & { key: number })[] = [];
  /** Increases with each change of an instance. */
  changes = 0;
  /** Increases with each change of any container. */
  containerChanges = 0;
  status: 'connecting' | 'live' | 'lost' = 'connecting';
  readonly #listeners = new Set<() => void>();
  readonly #onLoggedOut: () => void;
  #source: EventSource | undefined;
  #queue: Changes[] | undefined;
  #containers = new Map<string, number>();
  /** Time at which all containers may have changed. */
  #allContainers = 0;
  #drawn = 0;
  #keys = 0;

  constructor(onLoggedOut: () => void) {
    this.#onLoggedOut = onLoggedOut;
  }

  start(): void {
    const source = new EventSource('/v1/events');
    this.#source = source;
    source.addEventListener('open', () => this.#become('live'));
    source.addEventListener('reset', () => void this.#refetch());
    source.addEventListener('changes', (event) => this.#take(JSON.parse(event.data as string) as Changes));
    source.addEventListener('summary', (event) => {
      this.summary = JSON.parse(event.data as string) as Summary;
      this.#changed();
    });
    source.addEventListener('error', () => {
      this.#become('lost');
      void this.#checkLogin();
    });
  }

  stop(): void {
    this.#source?.close();
    cancelAnimationFrame(this.#drawn);
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Returns a number that differs after each change of the container. */
  changesOf(uuid: string): number {
    return Math.max(this.#allContainers, this.#containers.get(uuid) ?? 0);
  }

  /** An event stream has no status code, so an ordinary request checks whether the session ended. */
  async #checkLogin(): Promise<void> {
    try {
      await ask('/v1/fleet');
      if (this.#source?.readyState === EventSource.CLOSED) {
        this.stop();
        this.start();
      }
    } catch (error) {
      if (error instanceof LoggedOut) this.#onLoggedOut();
      else if (this.#source?.readyState === EventSource.CLOSED)
        setTimeout(() => void this.#checkLogin(), 2_000);
    }
  }

  async #refetch(): Promise<void> {
    this.#queue = [];
    try {
      const [page, summary, journal] = await Promise.all([
        ask<{ items: InstanceBody[] }>('/v1/instances'),
        ask<Summary>('/v1/fleet'),
        ask<{ items: JournalEntry[] }>(`/v1/journal?limit=${longestTicker / 2}`),
      ]);
      this.instances = new Map(
        page.items.filter((each) => each.instance).map((each) => [each.instance, each]),
      );
      this.launches = page.items.filter((each) => each.instance === '');
      this.summary = summary;
      this.ticker = [];
      this.#tick(journal.items);
    } catch (error) {
      if (error instanceof LoggedOut) return this.#onLoggedOut();
      setTimeout(() => void this.#refetch(), 2_000);
    }
    const queue = this.#queue;
    this.#queue = undefined;
    for (const changes of queue) this.#take(changes);
    this.#recordContainers([], true);
    this.changes++;
    this.#changed();
  }

  #recordContainers(uuids: readonly string[], many: boolean): void {
    if (uuids.length === 0 && !many) return;
    this.containerChanges++;
    for (const uuid of uuids) this.#containers.set(uuid, this.containerChanges);
    if (!many && this.#containers.size < mostContainers) return;
    this.#containers.clear();
    this.#allContainers = this.containerChanges;
  }

  #take(changes: Changes): void {
    if (this.#queue) {
      this.#queue.push(changes);
      return;
    }
    for (const each of changes.instances) this.instances.set(each.instance, each);
    for (const id of changes.gone) this.instances.delete(id);
    this.launches = changes.launches;
    this.changes++;
    this.#recordContainers(changes.containers, changes.manyContainers);
    this.#tick(changes.entries);
    this.#changed();
  }

  #tick(entries: readonly JournalEntry[]): void {
    const newest = entries.map((entry) => ({ ...entry, key: ++this.#keys })).reverse();
    this.ticker = [...newest, ...this.ticker].slice(0, longestTicker);
  }

  #become(status: Fleet['status']): void {
    this.status = status;
    this.#changed();
  }

  /** Redraws at most once per frame of the screen. */
  #changed(): void {
    if (this.#drawn !== 0) return;
    this.#drawn = requestAnimationFrame(() => {
      this.#drawn = 0;
      for (const listener of this.#listeners) listener();
    });
  }
}
