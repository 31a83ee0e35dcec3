import type { Clock } from '../domain/clock.js';

/** A call without a signal did not respond in time. It may still take effect. */
export class DeadlineError extends Error {
  constructor(what: string, timeoutMs: number) {
    super(`${what} did not respond within ${timeoutMs} ms`);
    this.name = 'DeadlineError';
  }
}

export interface Bounds {
  timeoutMs: number;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Returns the result of a call that cannot be aborted, {@link DeadlineError}, or the reason of the signal, whichever comes
 * first. The call continues; its late result is dropped.
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
