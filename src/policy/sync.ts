import { placeOf, type Stray } from './claims.js';
import type { Container } from '../domain/container.js';
import type { RunningView } from '../domain/instance-view.js';
import type { QueueEntry, QueueSnapshot } from '../domain/queue-entry.js';

export interface SyncInput {
  queue: QueueSnapshot;
  running: ReadonlyMap<string, RunningView>;
  /** Some worker has not said yet what runs on it, or lists have not shown the instance yet where it ran. */
  mayRunUnseen(container: Container): boolean;
  /** The entries that are not just queued, where the caller knows them; else all are looked at. */
  notable?: readonly QueueEntry[];
}

export type SyncAction =
  /** The process is gone and left no result. `hasFailed`: it ended on an instance that is there. */
  | { kind: 'lost'; uuid: string; because: string; hasFailed?: true }
  | { kind: 'kill'; uuid: string; because: string }
  | { kind: 'forget'; uuid: string }
  /** The instance has it, and the queue placed it on another one. */
  | { kind: 'disown'; uuid: string; stray: Stray; because: string }
  | { kind: 'requeue'; uuid: string; because: string; hasFailed?: true };

/** Where queue and pool disagree, and what to do about it (SY-1..SY-6). */
export function syncActions({ queue, running, mayRunUnseen, notable }: SyncInput): SyncAction[] {
  const actions: SyncAction[] = [];
  for (const { container } of notable ?? queue.entries.values()) {
    const { uuid } = container;
    const seen = running.get(uuid);
    const place = placeOf(container);
    const isElsewhere = seen !== undefined && place !== undefined && seen.instanceId !== place;
    if (isElsewhere) actions.push(disown({ ...seen, uuid }, place));
    const process = isElsewhere ? undefined : seen;
    const isFresh = process?.exitedAt !== undefined && queue.threshold > process.exitedAt;
    const action = syncOne({ container, process, isFresh, mayRunUnseen });
    if (action) actions.push(action);
  }
  for (const uuid of running.keys()) {
    if (!queue.entries.has(uuid)) actions.push({ kind: 'kill', uuid, because: 'it is not in the queue' });
  }
  return actions;
}

/** What becomes of a process on an instance that the queue did not place the container on. */
export function disown(stray: Stray, place: string): SyncAction {
  const because = `the queue places the container on ${place}`;
  return { kind: 'disown', uuid: stray.uuid, stray, because };
}

interface One {
  container: Container;
  process: RunningView | undefined;
  /** The record was read after the process ended. */
  isFresh: boolean;
  mayRunUnseen(container: Container): boolean;
}

function syncOne(one: One): SyncAction | undefined {
  const { process } = one;
  const { uuid, state, priority } = one.container;
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

function syncRunning({ container, process, isFresh, mayRunUnseen }: One): SyncAction | undefined {
  const { uuid, priority } = container;
  if (!process)
    return mayRunUnseen(container) ? undefined : { kind: 'lost', uuid, because: 'it is not on any instance' };
  if (isFresh)
    return {
      kind: 'lost',
      uuid,
      because: process.because ?? 'its runner ended without finishing it',
      hasFailed: true,
    };
  return priority === 0n ? { kind: 'kill', uuid, because: 'its priority is 0' } : undefined;
}

function syncLocked({ container, process, isFresh }: One): SyncAction | undefined {
  const { uuid, priority } = container;
  if (process?.exitedAt !== undefined) {
    if (!isFresh) return undefined;
    return {
      kind: 'requeue',
      uuid,
      because: process.because ?? 'its runner ended before it ran',
      hasFailed: true,
    };
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
