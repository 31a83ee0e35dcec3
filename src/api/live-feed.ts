import type { Clock } from '../domain/clock.js';
import type { JournalEntry } from '../journal/journal.js';

/** What the feed looks at when it tells of a change. */
export interface LiveSources {
  /** As in `/v1/instances`; `undefined` once it is gone. */
  instance(instanceId: string): Record<string, unknown> | undefined;
  /** Creations that have not returned, as in `/v1/instances`. */
  launches(): Record<string, unknown>[];
  /** As in `/v1/fleet`. */
  summary(): Promise<Record<string, unknown>>;
}

/** One message to every listener. */
export interface LiveFrame {
  /** Grows by one with each frame of this process. */
  id: number;
  event: 'changes' | 'summary';
  /** JSON. */
  data: string;
}

export interface LiveFeedOptions {
  clock: Clock;
  sources: LiveSources;
  /** Tells this feed from that of another process, so that ids of one are never taken for those of another. */
  epoch: string;
}

const batchMs = 100;
const summaryMs = 1_000;
/** Frames are kept for listeners that come back, up to this size, and while somebody listened lately. */
const keptBytes = 4 * 1024 * 1024;
const keptUnheardMs = 120_000;
const entriesInFrame = 50;
const containersInFrame = 500;

/**
 * Tells pages what changed, in batches: ten times a second at most however much happens, and nothing while nobody
 * listens. A listener that was away for a short while gets what it missed.
 */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #listeners = new Set<(frame: LiveFrame) => void>();
  readonly #instances = new Set<string>();
  readonly #containers = new Set<string>();
  #frames: LiveFrame[] = [];
  #framesBytes = 0;
  #heardAt = 0;
  #entries: JournalEntry[] = [];
  #skipped = 0;
  #lastId = 0;
  #batchTimer: unknown;
  #summaryTimer: unknown;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  /** Something happened. Costs next to nothing while nobody listens. */
  note(entry: JournalEntry): void {
    if (this.#listeners.size === 0 && this.#frames.length === 0) return;
    if (entry.instance !== undefined) this.#instances.add(entry.instance);
    if (entry.container !== undefined) this.#containers.add(entry.container);
    if (this.#entries.length < entriesInFrame) this.#entries.push(entry);
    else this.#skipped++;
    const { clock } = this.#options;
    this.#batchTimer ??= clock.setTimeout(() => this.#tellChanges(), batchMs);
    this.#summaryTimer ??= clock.setTimeout(() => void this.#tellSummary(), summaryMs);
  }

  /**
   * Calls back with each frame from now on, until it is stopped. `lastSeen`, the last frame the listener had, as
   * `nameOf` told it: the frames since then come first. `missed`: these are not kept any more, and all has to be
   * fetched anew.
   */
  listen(
    lastSeen: string | undefined,
    tell: (frame: LiveFrame) => void,
  ): { missed: boolean; stop: () => void } {
    const missed = this.#framesSince(lastSeen);
    for (const frame of missed ?? []) tell(frame);
    this.#listeners.add(tell);
    return { missed: missed === undefined, stop: () => this.#leave(tell) };
  }

  /** How a frame's id is told. */
  nameOf(id: number): string {
    return `${this.#options.epoch}-${id}`;
  }

  get position(): string {
    return this.nameOf(this.#lastId);
  }

  stop(): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#batchTimer);
    clock.clearTimeout(this.#summaryTimer);
    this.#listeners.clear();
  }

  #framesSince(lastSeen: string | undefined): LiveFrame[] | undefined {
    const [epoch, id] = lastSeen?.split('-') ?? [];
    if (epoch !== this.#options.epoch) return undefined;
    const since = Number(id);
    const first = this.#frames[0]?.id ?? this.#lastId + 1;
    return since + 1 >= first && since <= this.#lastId
      ? this.#frames.filter((frame) => frame.id > since)
      : undefined;
  }

  #leave(tell: (frame: LiveFrame) => void): void {
    this.#listeners.delete(tell);
    this.#heardAt = this.#options.clock.now();
  }

  #tellChanges(): void {
    this.#batchTimer = undefined;
    const { sources } = this.#options;
    const instances: Record<string, unknown>[] = [];
    const gone: string[] = [];
    for (const id of this.#instances) {
      const view = sources.instance(id);
      if (view) instances.push(view);
      else gone.push(id);
    }
    const containers = [...this.#containers].slice(0, containersInFrame);
    const data = {
      instances,
      gone,
      launches: sources.launches(),
      containers,
      manyContainers: containers.length < this.#containers.size,
      entries: this.#entries,
      skipped: this.#skipped,
    };
    this.#instances.clear();
    this.#containers.clear();
    this.#entries = [];
    this.#skipped = 0;
    this.#tell('changes', JSON.stringify(data));
  }

  async #tellSummary(): Promise<void> {
    try {
      const data = JSON.stringify(await this.#options.sources.summary());
      if (this.#listeners.size > 0) this.#tell('summary', data);
    } catch {
      // The store does not answer: the page shows the last figures it has, and the next change asks again.
    } finally {
      this.#summaryTimer = undefined;
    }
  }

  #tell(event: LiveFrame['event'], data: string): void {
    const frame: LiveFrame = { id: ++this.#lastId, event, data };
    this.#keep(frame);
    for (const listener of this.#listeners) listener(frame);
  }

  #keep(frame: LiveFrame): void {
    this.#frames.push(frame);
    this.#framesBytes += frame.data.length;
    while (this.#framesBytes > keptBytes) this.#framesBytes -= this.#frames.shift()!.data.length;
    const isUnheard = this.#listeners.size === 0 && this.#options.clock.now() - this.#heardAt > keptUnheardMs;
    if (!isUnheard) return;
    this.#frames = [];
    this.#framesBytes = 0;
  }
}
