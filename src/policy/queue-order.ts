import type { RunningView } from '../actors/pool.js';
import type { QueueEntry } from '../queue/queue.js';

/**
 * Those with a process first, then the locked ones, then by priority, by how long they are known, and by id, so that
 * the order is the same each time (SC-12).
 */
export function inOrder(
  entries: ReadonlyMap<string, QueueEntry>,
  running: ReadonlyMap<string, RunningView>,
): QueueEntry[] {
  const withProcess: QueueEntry[] = [];
  const locked: QueueEntry[] = [];
  const others: QueueEntry[] = [];
  for (const entry of entries.values()) {
    if (running.has(entry.container.uuid)) withProcess.push(entry);
    else if (entry.container.state === 'Locked') locked.push(entry);
    else others.push(entry);
  }
  withProcess.sort(
    (a, b) =>
      Number(b.container.state === 'Locked') - Number(a.container.state === 'Locked') || compare(a, b),
  );
  return withProcess.concat(locked.sort(compare), others.sort(compare));
}

function compare(a: QueueEntry, b: QueueEntry): number {
  const left = a.container;
  const right = b.container;
  if (left.priority !== right.priority) return left.priority > right.priority ? -1 : 1;
  if (a.firstSeenAt !== b.firstSeenAt) return a.firstSeenAt - b.firstSeenAt;
  return left.uuid < right.uuid ? -1 : 1;
}
