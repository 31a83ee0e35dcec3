import { orAborted } from '../abortable.js';

export interface WorkControl {
  /** Aborts when nobody waits any more, until {@link WorkControl.commit} was called, and when all work is ended. */
  signal: AbortSignal;
  /** From here on the work goes on though nobody waits for it. */
  commit(): void;
}

interface Running<T> {
  result: Promise<T>;
  controller: AbortController;
  waiters: number;
  isCommitted: boolean;
}

/** Work under a name: whoever asks for the same name while it is under way gets the same result. */
export class SharedWork<T> {
  readonly #running = new Map<string, Running<T>>();

  has(name: string): boolean {
    return this.#running.has(name);
  }

  /** Rejects with DriverError as soon as the caller's signal aborts. */
  async join(
    name: string,
    what: string,
    signal: AbortSignal,
    start: (control: WorkControl) => Promise<T>,
  ): Promise<T> {
    return orAborted(what, signal, async () => {
      const work = this.#running.get(name) ?? this.#start(name, start);
      work.waiters++;
      const leave = (): void => {
        work.waiters--;
        if (work.waiters === 0 && !work.isCommitted) work.controller.abort();
      };
      signal.addEventListener('abort', leave, { once: true });
      try {
        return await work.result;
      } finally {
        signal.removeEventListener('abort', leave);
      }
    });
  }

  /** Ends all work, as far as it can be ended, and waits for that. */
  async stop(): Promise<void> {
    const all = [...this.#running.values()];
    for (const { controller } of all) controller.abort();
    await Promise.allSettled(all.map(({ result }) => result));
  }

  #start(name: string, start: (control: WorkControl) => Promise<T>): Running<T> {
    const controller = new AbortController();
    const work: Running<T> = {
      controller,
      waiters: 0,
      isCommitted: false,
      result: Promise.resolve().then(() =>
        start({ signal: controller.signal, commit: () => (work.isCommitted = true) }),
      ),
    };
    this.#running.set(name, work);
    const forget = (): void => void this.#running.delete(name);
    work.result.then(forget, forget);
    return work;
  }
}
