import type { ContainerResult, Queue } from './queue.js';

/** Told of what became of containers, once it is durable. None of these may throw. */
export interface QueueObserver {
  completed(uuid: string, result: ContainerResult): void;
  cancelled(uuid: string, because: string): void;
  /** `to`: Queued for another attempt, or Cancelled. `undefined`: not known. */
  lost(uuid: string, because: string, to: string | undefined): void;
  /** An attempt that ran nothing was taken back. `to`: Queued, or Cancelled after too many of them. */
  reverted(uuid: string, because: string, to: string | undefined): void;
}

/** The same queue, with an observer told of the ends it takes down. */
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
    unlock: (uuid) => queue.unlock(uuid),
    cancel: async (uuid, reason) => {
      await queue.cancel(uuid, reason);
      observer.cancelled(uuid, reason);
    },
    lost: async (uuid, reason, instanceId) => {
      const wasOpen = isOpen(uuid);
      await queue.lost(uuid, reason, instanceId);
      const to = queue.get(uuid)?.state;
      if (wasOpen && to !== 'Running') observer.lost(uuid, reason, to);
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
    complete: async (uuid, result) => {
      const wasOpen = isOpen(uuid);
      await queue.complete(uuid, result);
      // The result of one that was cancelled meanwhile changes nothing, nor does hearing of it twice.
      if (wasOpen && !isOpen(uuid)) observer.completed(uuid, result);
    },
    last503At: () => queue.last503At?.() ?? 0,
    stop: () => queue.stop(),
  };
}
