import { DriverError } from './driver.js';

/** Why a call was given up: the signal's own reason when it is a {@link DriverError}, else `aborted`. */
export function abortError(signal: AbortSignal, what: string): DriverError {
  if (signal.reason instanceof DriverError) return signal.reason;
  return new DriverError('aborted', `${what} was given up`, { cause: signal.reason });
}

/**
 * What the call resolves to, or the abort, whichever is first. Rejects with {@link DriverError} only, also when the
 * call throws before it returns a promise. An aborted signal keeps the call from being made; a call under way goes on
 * by itself.
 */
export function orAborted<T>(what: string, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortError(signal, what));
    const onAbort = (): void => reject(abortError(signal, what));
    signal.addEventListener('abort', onAbort, { once: true });
    new Promise<T>((made) => made(call()))
      .then(resolve, (error: unknown) => reject(DriverError.from(error)))
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}
