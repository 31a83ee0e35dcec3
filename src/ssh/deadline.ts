import type { Clock } from '../domain/clock.js';
import { ExecutorError } from './executor.js';

/** A signal that aborts with the given one, or with `timeout` when the time is over. `end` takes the timer away. */
export function deadlineOf(
  clock: Clock,
  timeoutMs: number,
  what: string,
  signal: AbortSignal,
): { signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal.reason);
  const timer = clock.setTimeout(
    () => controller.abort(new ExecutorError('timeout', `${what} did not end within ${timeoutMs} ms`)),
    timeoutMs,
  );
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    end: () => {
      clock.clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    },
  };
}
