import type { ContainerState } from '../domain/container.js';
import type { Queue, RefusedClaim } from './queue.js';
import type { ContainerResult } from '../domain/container-work.js';

/** An attempt that left a result. */
export interface EndedAttempt {
  /** `undefined`: this queue does not count attempts. */
  attempt: number | undefined;
  instanceId: string;
  /** What became of the container. */
  to: ContainerState;
}

/** Notified of what became of attempts and containers, once it is durable. None of these may throw. */
export interface QueueObserver {
  /** The container is Complete: this attempt was its last. */
  completed(uuid: string, result: ContainerResult, ended: EndedAttempt): void;
  /** An attempt ended, and the container did not end by it: it is Queued for the next one, or was Cancelled before. */
  attemptEnded(uuid: string, result: ContainerResult, ended: EndedAttempt): void;
  cancelled(uuid: string, because: string): void;
  /** `to`: Queued for another attempt, or Cancelled. `undefined`: not known. */
  lost(uuid: string, because: string, to: string | undefined, attempt: number | undefined): void;
  /** An attempt that ran nothing was taken back. `to`: Queued, or Cancelled after too many of them. */
  reverted(uuid: string, because: string, to: string | undefined): void;
  /** An instance reported on a container that the queue places elsewhere, or in another attempt; nothing changed. */
  claimRefused(claim: RefusedClaim): void;
}

/** The same queue, with an observer that is notified of each end it records, and of what it refuses. */
export function recordedQueue(queue: Queue, observer: QueueObserver): Queue {
  const isOpen = (uuid: string): boolean => {
    const state = queue.get(uuid)?.state;
    return state === 'Locked' || state === 'Running';
  };
  return {
    update: () => queue.update(),
    entries: () => queue.entries(),
    peek: () => queue.peek?.() ?? queue.entries(),
    takeChanges: () => queue.takeChanges?.(),
    get: (uuid) => queue.get(uuid),
    lock: (uuid) => queue.lock(uuid),
    unlock: (uuid, options) => queue.unlock(uuid, options),
    cancel: async (uuid, reason) => {
      await queue.cancel(uuid, reason);
      observer.cancelled(uuid, reason);
    },
    lost: async (uuid, reason, origin) => {
      const wasOpen = isOpen(uuid);
      await queue.lost(uuid, reason, origin);
      const { state: to, attempt, instanceId } = queue.get(uuid) ?? {};
      if (wasOpen && to !== 'Running') observer.lost(uuid, reason, to, attempt);
      if (to !== 'Running' || !origin) return;
      const because = `the last attempt is ${attempt}, on ${instanceId}`;
      observer.claimRefused({ uuid, what: 'loss', because, ...origin });
    },
    forget: (uuid) => queue.forget(uuid),
    subscribe: (listener) => queue.subscribe(listener),
    work: (uuid) => queue.work(uuid),
    started: (uuid, where, at) => queue.started(uuid, where, at),
    revertStart: async (uuid, start) => {
      const wasOpen = isOpen(uuid);
      await queue.revertStart(uuid, start);
      const to = queue.get(uuid)?.state;
      if (wasOpen && to !== 'Running') observer.reverted(uuid, start.reason, to);
    },
    complete: async (uuid, result, origin) => {
      const verdict = await queue.complete(uuid, result, origin);
      if (verdict.kind === 'refused')
        observer.claimRefused({ uuid, what: 'result', because: verdict.because, ...origin });
      if (verdict.kind !== 'taken') return verdict;
      const { attempt, state: to } = verdict;
      const ended = { attempt, instanceId: origin.instanceId, to };
      if (to === 'Complete') observer.completed(uuid, result, ended);
      else observer.attemptEnded(uuid, result, ended);
      return verdict;
    },
    last503At: () => queue.last503At?.() ?? 0,
    stop: () => queue.stop(),
  };
}
