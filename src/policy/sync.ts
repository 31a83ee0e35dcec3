import type { RunningView } from '../actors/pool.js';
import type { QueueSnapshot } from '../queue/queue.js';

export interface SyncInput {
  queue: QueueSnapshot;
  running: ReadonlyMap<string, RunningView>;
  /** Some worker has not said yet what runs on it. */
  hasUnknownWorkers: boolean;
}

export type SyncAction =
  /** The process is gone and left no result. */
  | { kind: 'lost'; uuid: string; because: string }
  | { kind: 'kill'; uuid: string; because: string }
  | { kind: 'forget'; uuid: string }
  | { kind: 'requeue'; uuid: string; because: string };

/** Where queue and pool disagree, and what to do about it (SY-1..SY-6). */
export function syncActions({ queue, running, hasUnknownWorkers }: SyncInput): SyncAction[] {
  const actions: SyncAction[] = [];
  for (const [uuid, { container }] of queue.entries) {
    const process = running.get(uuid);
    const isFresh = process?.exitedAt !== undefined && queue.threshold > process.exitedAt;
    const action = syncOne({ ...container, process, isFresh, hasUnknownWorkers });
    if (action) actions.push(action);
  }
  for (const uuid of running.keys()) {
    if (!queue.entries.has(uuid)) actions.push({ kind: 'kill', uuid, because: 'it is not in the queue' });
  }
  return actions;
}

interface One {
  uuid: string;
  state: string;
  priority: bigint;
  process: RunningView | undefined;
  /** The record was read after the process ended. */
  isFresh: boolean;
  hasUnknownWorkers: boolean;
}

function syncOne(one: One): SyncAction | undefined {
  const { uuid, state, priority, process } = one;
  switch (state) {
    case 'Running':
      return syncRunning(one);
    case 'Complete':
    case 'Cancelled':
      if (process?.phase === 'ending') return undefined;
      return process ? { kind: 'kill', uuid, because: `it is ${state}` } : { kind: 'forget', uuid };
    case 'Queued':
      if (process?.phase === 'ending') return undefined;
      if (process) return { kind: 'kill', uuid, because: 'it is Queued, so an earlier attempt must end' };
      return priority === 0n ? { kind: 'forget', uuid } : undefined;
    case 'Locked':
      return syncLocked(one);
    default:
      return undefined;
  }
}

function syncRunning({ uuid, priority, process, isFresh, hasUnknownWorkers }: One): SyncAction | undefined {
  if (!process)
    return hasUnknownWorkers ? undefined : { kind: 'lost', uuid, because: 'it is not on any instance' };
  if (isFresh) return { kind: 'lost', uuid, because: 'its runner ended without finishing it' };
  return priority === 0n ? { kind: 'kill', uuid, because: 'its priority is 0' } : undefined;
}

function syncLocked({ uuid, priority, process, isFresh }: One): SyncAction | undefined {
  if (process?.exitedAt !== undefined) {
    return isFresh ? { kind: 'requeue', uuid, because: 'its runner ended before it ran' } : undefined;
  }
  if (priority !== 0n) return undefined;
  return process
    ? { kind: 'kill', uuid, because: 'its priority is 0' }
    : { kind: 'requeue', uuid, because: 'its priority is 0' };
}

/** Containers locked by an earlier process of this dispatcher whose start nobody knows of (FX-3, FX-6). */
export function staleLocks(queue: QueueSnapshot, running: ReadonlyMap<string, RunningView>): string[] {
  const stale: string[] = [];
  for (const [uuid, { container }] of queue.entries) {
    if (container.state === 'Locked' && !running.has(uuid)) stale.push(uuid);
  }
  return stale;
}
