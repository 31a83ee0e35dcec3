/** One step of a worker: the event and the states it entered. */
export interface WorkerStep {
  /** Epoch ms. */
  at: number;
  event: string;
  /** Changed regions, `region: from → to`; empty when only the context changed. */
  changes: readonly { region: string; from: string; to: string }[];
}

/** Subscribers to the steps of one instance. */
export class WorkerWatchers {
  readonly #watchers = new Map<string, Set<(step: WorkerStep | undefined) => void>>();

  /** Whether the instance has a subscriber; without one, steps are not recorded. */
  has(instanceId: string): boolean {
    return this.#watchers.has(instanceId);
  }

  /**
   * Calls `listener` with each step, and with `undefined` when the instance terminates. Returns a function that
   * unsubscribes.
   */
  add(instanceId: string, watcher: (step: WorkerStep | undefined) => void): () => void {
    const watchers = this.#watchers.get(instanceId) ?? new Set();
    this.#watchers.set(instanceId, watchers.add(watcher));
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(instanceId) === watchers)
        this.#watchers.delete(instanceId);
    };
  }

  notify(instanceId: string, step: WorkerStep | undefined): void {
    for (const watcher of this.#watchers.get(instanceId) ?? []) watcher(step);
  }
}
