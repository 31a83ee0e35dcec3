import type { RunningView } from '../actors/pool.js';
import type { QueueEntry } from '../queue/queue.js';
import { busyInOrder, compareInLine, inOrder, isOdd, type QueueOrder } from './queue-order.js';

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
  readonly #locked = new Set<string>();
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
    const gone: QueueEntry[] = [];
    const come: QueueEntry[] = [];
    for (const uuid of suspects) {
      const before = this.#placed.get(uuid);
      const entry = entries.get(uuid);
      const isLocked = entry?.container.state === 'Locked';
      if (isLocked) this.#locked.add(uuid);
      else this.#locked.delete(uuid);
      const after = isLocked || running.has(uuid) ? undefined : entry;
      if (before === after) continue;
      if (before) gone.push(before);
      if (after) come.push(after);
      this.#place(uuid, after);
    }
    this.#idle = merged(this.#idle, gone, come);
    this.#last = this.#order(entries, running);
    return this.#last;
  }

  #anew(entries: ReadonlyMap<string, QueueEntry>, running: ReadonlyMap<string, RunningView>): QueueOrder {
    const order = inOrder(entries, running);
    this.#isNew = false;
    this.#running = running;
    this.#last = order;
    this.#idle = order.entries.slice(order.firstIdle);
    for (const known of [this.#placed, this.#odd, this.#locked]) known.clear();
    for (const entry of this.#idle) this.#place(entry.container.uuid, entry);
    for (const { container } of order.entries.slice(0, order.firstIdle)) {
      if (container.state === 'Locked') this.#locked.add(container.uuid);
    }
    return order;
  }

  #place(uuid: string, entry: QueueEntry | undefined): void {
    if (entry) this.#placed.set(uuid, entry);
    else this.#placed.delete(uuid);
    if (entry && isOdd(entry)) this.#odd.set(uuid, entry);
    else this.#odd.delete(uuid);
  }

  #order(entries: ReadonlyMap<string, QueueEntry>, running: ReadonlyMap<string, RunningView>): QueueOrder {
    const found = (uuids: Iterable<string>): QueueEntry[] =>
      [...uuids].flatMap((uuid) => entries.get(uuid) ?? []);
    const locked = [...this.#locked].filter((uuid) => !running.has(uuid));
    const busy = busyInOrder(found(running.keys()), found(locked));
    return {
      entries: busy.concat(this.#idle),
      firstIdle: busy.length,
      notable: [...this.#odd.values(), ...busy],
    };
  }
}

/** A line without some and with others; the entries in between are moved, not looked at. */
function merged(line: QueueEntry[], gone: QueueEntry[], come: QueueEntry[]): QueueEntry[] {
  if (gone.length === 0 && come.length === 0) return line;
  const cuts = [
    ...gone.map((entry) => ({ at: placeOf(line, entry), skip: 1, put: [] as QueueEntry[] })),
    ...come.sort(compareInLine).map((entry) => ({ at: placeOf(line, entry), skip: 0, put: [entry] })),
  ];
  // What comes to the place of one that goes stands before what followed that one.
  cuts.sort((a, b) => a.at - b.at || a.skip - b.skip);
  const parts: QueueEntry[][] = [];
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
  return parts.length <= mostParts ? ([] as QueueEntry[]).concat(...parts) : parts.flat();
}

/** Where it stands, or belongs: before the first that does not come before it. */
function placeOf(line: readonly QueueEntry[], entry: QueueEntry): number {
  let [low, high] = [0, line.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareInLine(line[middle]!, entry) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
