import type { Clock } from '../domain/clock.js';

/** A call that takes no signal was not answered in time. It may still take effect. */
export class DeadlineError extends Error {
  constructor(what: string, timeoutMs: number) {
    super(`${what} was not answered within ${timeoutMs} ms`);
    this.name = 'DeadlineError';
  }
}

export interface Bounds {
  timeoutMs: number;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * The outcome of a call that cannot be cut short, or {@link DeadlineError}, or the reason of the signal, whichever is
 * first. The call goes on; what it does late is dropped.
 */
export function bounded<T>(what: string, call: () => Promise<T>, bounds: Bounds): Promise<T> {
  const { timeoutMs, clock, signal } = bounds;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => settle(() => reject(signal.reason as Error));
    const timer = clock.setTimeout(() => settle(() => reject(new DeadlineError(what, timeoutMs))), timeoutMs);
    const settle = (finish: () => void): void => {
      clock.clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      finish();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    call().then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
