/** One step of a worker: the event it took and what that lit. */
export interface WorkerStep {
  /** Epoch ms. */
  at: number;
  event: string;
  /** Changed regions, `region: from → to`; empty when only facts changed. */
  changes: readonly { region: string; from: string; to: string }[];
}

/** Who looks at the chart of one instance, and is to hear of each of its steps. */
export class WorkerWatchers {
  readonly #watchers = new Map<string, Set<(step: WorkerStep | undefined) => void>>();

  /** True while somebody looks at that instance: only then is it worth telling. */
  has(instanceId: string): boolean {
    return this.#watchers.has(instanceId);
  }

  /** Calls back with each step, and with `undefined` once the instance is gone. Returns the end of it. */
  add(instanceId: string, watcher: (step: WorkerStep | undefined) => void): () => void {
    const watchers = this.#watchers.get(instanceId) ?? new Set();
    this.#watchers.set(instanceId, watchers.add(watcher));
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(instanceId) === watchers)
        this.#watchers.delete(instanceId);
    };
  }

  tell(instanceId: string, step: WorkerStep | undefined): void {
    for (const watcher of this.#watchers.get(instanceId) ?? []) watcher(step);
  }
}
