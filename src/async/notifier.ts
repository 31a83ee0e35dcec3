/** Notifies listeners of changes: concurrent changes once, and never within the change (L-27..L-29). */
export class Notifier {
  readonly #listeners = new Set<() => void>();
  #scheduled = false;

  get size(): number {
    return this.#listeners.size;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  notify(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}
