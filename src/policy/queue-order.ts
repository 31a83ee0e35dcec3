import type { RunningView } from '../domain/instance-view.js';
import type { QueueEntry } from '../domain/queue-entry.js';

/** With more distinct priorities than this, sorting them all is cheaper than keeping them apart. */
const mostPriorities = 1_000;

/** The entries of a queue as a pass goes through them. */
export interface QueueOrder {
  entries: QueueEntry[];
  /** From here on nobody is locked or has a process. */
  firstIdle: number;
  /** Those that may disagree with the pool: all but the queued ones that just wait. In no order. */
  notable: QueueEntry[];
}

/** The entries of one priority; a queue lists them in the order it came to know them, so they seldom need a sort. */
interface Group {
  priority: bigint;
  entries: QueueEntry[];
  isSorted: boolean;
  last: QueueEntry;
}

/**
 * Those with a process first, then the locked ones, then by priority, by how long they are known, and by id, so that
 * the order is the same each time (SC-12, W-6). One look at each entry: a long queue is not sorted each time.
 */
export function inOrder(
  entries: ReadonlyMap<string, QueueEntry>,
  running: ReadonlyMap<string, RunningView>,
): QueueOrder {
  const withProcess: QueueEntry[] = [];
  const locked: QueueEntry[] = [];
  const notable: QueueEntry[] = [];
  const groups = new Groups();
  for (const entry of entries.values()) {
    const { uuid, state, priority } = entry.container;
    if (running.has(uuid)) withProcess.push(entry);
    else if (state === 'Locked') locked.push(entry);
    else {
      groups.add(priority, entry);
      if (isOdd(entry)) notable.push(entry);
    }
  }
  const busy = busyInOrder(withProcess, locked);
  return { entries: busy.concat(...groups.inLine()), firstIdle: busy.length, notable: notable.concat(busy) };
}

/** Those with a process, then those that are locked. Sorts what it is given. */
function busyInOrder(withProcess: QueueEntry[], locked: QueueEntry[]): QueueEntry[] {
  withProcess.sort(
    (a, b) =>
      Number(b.container.state === 'Locked') - Number(a.container.state === 'Locked') || compareInLine(a, b),
  );
  return withProcess.concat(locked.sort(compareInLine));
}

/** Nobody has it locked and it has no process, and yet it does not just wait. */
export function isOdd({ container: { state, priority } }: QueueEntry): boolean {
  return state !== 'Queued' || priority < 1n;
}

class Groups {
  readonly #groups = new Map<bigint, Group>();
  /** Looked up last: neighbours are often of one priority. */
  #recent: Group | undefined;

  add(priority: bigint, entry: QueueEntry): void {
    const group = this.#recent?.priority === priority ? this.#recent : this.#groups.get(priority);
    if (!group) {
      this.#recent = { priority, entries: [entry], isSorted: true, last: entry };
      this.#groups.set(priority, this.#recent);
      return;
    }
    this.#recent = group;
    if (group.isSorted && compareAge(group.last, entry) > 0) group.isSorted = false;
    group.last = entry;
    group.entries.push(entry);
  }

  inLine(): QueueEntry[][] {
    const all = [...this.#groups.values()].sort((a, b) => (a.priority > b.priority ? -1 : 1));
    for (const { entries, isSorted } of all) if (!isSorted) entries.sort(compareAge);
    const lists = all.map(({ entries }) => entries);
    // As arguments of one call there can only be so many.
    return lists.length <= mostPriorities ? lists : [lists.flat()];
  }
}

/** By priority, age and id: never 0 for two containers. */
export function compareInLine(a: QueueEntry, b: QueueEntry): number {
  const [left, right] = [a.container.priority, b.container.priority];
  if (left !== right) return left > right ? -1 : 1;
  return compareAge(a, b);
}

function compareAge(a: QueueEntry, b: QueueEntry): number {
  if (a.firstSeenAt !== b.firstSeenAt) return a.firstSeenAt - b.firstSeenAt;
  const [left, right] = [a.container.uuid, b.container.uuid];
  return left < right ? -1 : Number(left > right);
}
