import type { Clock } from '../domain/clock.js';
import type { JournalEntry } from '../journal/journal.js';

/** What the feed reads when it reports a change. */
export interface LiveSources {
  /** As in `/v1/instances`; `undefined` once the instance has terminated. */
  instance(instanceId: string): Record<string, unknown> | undefined;
  /** Pending create calls, as in `/v1/instances`. */
  launches(): Record<string, unknown>[];
  /** As in `/v1/fleet`. */
  summary(): Promise<Record<string, unknown>>;
}

/** One message to every listener. */
export interface LiveFrame {
  /** Increases by one with each frame of this process. */
  id: number;
  event: 'changes' | 'summary';
  /** JSON. */
  data: string;
}

export interface LiveFeedOptions {
  clock: Clock;
  sources: LiveSources;
  /** Distinguishes the feeds of different processes, so that frame ids are never mixed up. */
  epoch: string;
}

const batchMs = 100;
const summaryMs = 1_000;
/** Limit of the stored frames for reconnecting listeners; they are kept only while there was a listener lately. */
const keptBytes = 4 * 1024 * 1024;
const keptUnheardMs = 120_000;
const entriesInFrame = 50;
const containersInFrame = 500;

/**
 * Reports changes to pages in batches, at most ten per second, and does nothing without listeners. A listener that
 * reconnects soon receives the frames it missed.
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

  /** Marks a change. Costs next to nothing without listeners. */
  note(entry: JournalEntry): void {
    if (this.#listeners.size === 0 && this.#frames.length === 0) return;
    if (entry.instance !== undefined) this.#instances.add(entry.instance);
    if (entry.container !== undefined) this.#containers.add(entry.container);
    if (this.#entries.length < entriesInFrame) this.#entries.push(entry);
    else this.#skipped++;
    const { clock } = this.#options;
    this.#batchTimer ??= clock.setTimeout(() => this.#sendChanges(), batchMs);
    this.#summaryTimer ??= clock.setTimeout(() => void this.#sendSummary(), summaryMs);
  }

  /**
   * Calls `listener` with each frame until `stop` is called. `lastSeen` is the id of the last frame that the
   * listener received, as in `nameOf`: it first receives the frames since then. `missed`: these frames are no longer
   * stored, and the listener has to fetch everything again.
   */
  listen(
    lastSeen: string | undefined,
    listener: (frame: LiveFrame) => void,
  ): { missed: boolean; stop: () => void } {
    const missed = this.#framesSince(lastSeen);
    for (const frame of missed ?? []) listener(frame);
    this.#listeners.add(listener);
    return { missed: missed === undefined, stop: () => this.#leave(listener) };
  }

  /** Returns the id of a frame as text. */
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

  #leave(listener: (frame: LiveFrame) => void): void {
    this.#listeners.delete(listener);
    this.#heardAt = this.#options.clock.now();
  }

  #sendChanges(): void {
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
    this.#send('changes', JSON.stringify(data));
  }

  async #sendSummary(): Promise<void> {
    try {
      const data = JSON.stringify(await this.#options.sources.summary());
      if (this.#listeners.size > 0) this.#send('summary', data);
    } catch {
      // The store does not answer: the page shows the last figures it has, and the next change asks again.
    } finally {
      this.#summaryTimer = undefined;
    }
  }

  #send(event: LiveFrame['event'], data: string): void {
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
