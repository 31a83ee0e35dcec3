import { compareInLine, inOrder, isOdd, type QueueOrder } from './queue-order.js';
import type { RunningView } from '../domain/instance-view.js';
import type { QueueEntry } from '../domain/queue-entry.js';

/** With more changes than this, putting all in order anew is cheaper. */
const mostChanges = 20_000;
const mostParts = 10_000;

/**
 * The order of one queue from pass to pass, the same as {@link inOrder} gives: of a long queue, only what changed is
 * looked at.
 */
export class QueueLine {
  /** Those that just wait, in order. Replaced, never changed. */
  #idle: QueueEntry[] = [];
  /** What stands in `#idle`, by id. */
  readonly #placed = new Map<string, QueueEntry>();
  /** Those of `#idle` that may disagree with the pool. */
  readonly #odd = new Map<string, QueueEntry>();
  /** Those with a process, or locked, in order, and what stands there by id. */
  #busy: Busy[] = [];
  readonly #known = new Map<string, Busy>();
  /** Of the last pass. */
  #running: ReadonlyMap<string, RunningView> = new Map();
  #last: QueueOrder | undefined;
  #isNew = true;

  /**
   * `running` is not changed afterwards: the same map says that nothing began or ended. `changed`: the ids of entries
   * that came, went or changed since the last call; `undefined`: any of them.
   */
  update(
    entries: ReadonlyMap<string, QueueEntry>,
    running: ReadonlyMap<string, RunningView>,
    changed: ReadonlySet<string> | undefined,
  ): QueueOrder {
    const isFew = changed !== undefined && changed.size + running.size + this.#running.size <= mostChanges;
    if (this.#isNew || !isFew) return this.#anew(entries, running);
    const isAsBefore = running === this.#running;
    if (isAsBefore && changed.size === 0 && this.#last) return this.#last;
    const moved = isAsBefore ? [] : [...this.#running.keys(), ...running.keys()];
    const suspects = new Set([...changed, ...moved]);
    this.#running = running;
    const idle = new Moves<QueueEntry>();
    const busy = new Moves<Busy>();
    for (const uuid of suspects) {
      const entry = entries.get(uuid);
      const rank = entry && rankOf(entry, running.has(uuid));
      const [wasIdle, isIdle] = [this.#placed.get(uuid), rank === undefined ? entry : undefined];
      if (wasIdle !== isIdle) {
        idle.note(wasIdle, isIdle);
        this.#place(uuid, isIdle);
      }
      const wasBusy = this.#known.get(uuid);
      if (wasBusy?.entry === entry && wasBusy?.rank === rank) continue;
      const isBusy = entry && rank !== undefined ? { entry, rank } : undefined;
      busy.note(wasBusy, isBusy);
      if (isBusy) this.#known.set(uuid, isBusy);
      else this.#known.delete(uuid);
    }
    this.#idle = merged(this.#idle, idle, compareInLine);
    this.#busy = merged(this.#busy, busy, compareBusy);
    this.#last = this.#order();
    return this.#last;
  }

  #anew(entries: ReadonlyMap<string, QueueEntry>, running: ReadonlyMap<string, RunningView>): QueueOrder {
    const order = inOrder(entries, running);
    this.#isNew = false;
    this.#running = running;
    this.#last = order;
    this.#idle = order.entries.slice(order.firstIdle);
    for (const known of [this.#placed, this.#odd, this.#known]) known.clear();
    for (const entry of this.#idle) this.#place(entry.container.uuid, entry);
    this.#busy = order.entries.slice(0, order.firstIdle).map((entry) => {
      const busy = { entry, rank: rankOf(entry, running.has(entry.container.uuid))! };
      this.#known.set(entry.container.uuid, busy);
      return busy;
    });
    return order;
  }

  #place(uuid: string, entry: QueueEntry | undefined): void {
    if (entry) this.#placed.set(uuid, entry);
    else this.#placed.delete(uuid);
    if (entry && isOdd(entry)) this.#odd.set(uuid, entry);
    else this.#odd.delete(uuid);
  }

  #order(): QueueOrder {
    const busy = this.#busy.map(({ entry }) => entry);
    return {
      entries: busy.concat(this.#idle),
      firstIdle: busy.length,
      notable: [...this.#odd.values(), ...busy],
    };
  }
}

/** One with a process, or locked, and where that puts it. */
interface Busy {
  entry: QueueEntry;
  rank: number;
}

/** Those with a process first, of these the locked ones first, then the others that are locked; `undefined`: it is idle. */
function rankOf({ container }: QueueEntry, hasProcess: boolean): number | undefined {
  const isLocked = container.state === 'Locked';
  if (hasProcess) return isLocked ? 0 : 1;
  return isLocked ? 2 : undefined;
}

function compareBusy(a: Busy, b: Busy): number {
  return a.rank - b.rank || compareInLine(a.entry, b.entry);
}

/** What goes from a line, and what comes into it. */
class Moves<Item> {
  readonly gone: Item[] = [];
  readonly come: Item[] = [];

  note(before: Item | undefined, after: Item | undefined): void {
    if (before !== undefined) this.gone.push(before);
    if (after !== undefined) this.come.push(after);
  }
}

type Compare<Item> = (a: Item, b: Item) => number;

/** A line without some and with others; the items in between are moved, not looked at. */
function merged<Item>(line: Item[], { gone, come }: Moves<Item>, compare: Compare<Item>): Item[] {
  if (gone.length === 0 && come.length === 0) return line;
  const cuts = [
    ...gone.map((item) => ({ at: placeOf(line, item, compare), skip: 1, put: [] as Item[] })),
    ...blocksOf(line, come.sort(compare), compare),
  ];
  // What comes to the place of one that goes stands before what followed that one.
  cuts.sort((a, b) => a.at - b.at || a.skip - b.skip);
  const parts: Item[][] = [];
  let from = 0;
  for (const { at, skip, put } of cuts) {
    const last = parts.at(-1);
    // Neighbours come together.
    if (at === from && last) last.push(...put);
    else parts.push(line.slice(from, at), put);
    from = at + skip;
  }
  parts.push(line.slice(from));
  // As arguments of one call there can only be so many.
  return parts.length <= mostParts ? ([] as Item[]).concat(...parts) : parts.flat();
}

/** Those that come, in order, with their places. What was submitted at once is one block, behind all of its priority. */
function blocksOf<Item>(
  line: readonly Item[],
  come: Item[],
  compare: Compare<Item>,
): { at: number; skip: number; put: Item[] }[] {
  if (come.length === 0) return [];
  const at = placeOf(line, come[0]!, compare);
  if (placeOf(line, come.at(-1)!, compare) === at) return [{ at, skip: 0, put: come }];
  return come.map((item) => ({ at: placeOf(line, item, compare), skip: 0, put: [item] }));
}

/** Where it stands, or belongs: before the first that does not come before it. */
function placeOf<Item>(line: readonly Item[], item: Item, compare: Compare<Item>): number {
  let [low, high] = [0, line.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(line[middle]!, item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
