import type { Clock } from '../../domain/clock.js';
import { orAborted } from '../abortable.js';
import { DriverError, type CallOptions, type Driver } from '../driver.js';
import { delegate } from './delegate.js';

/** Bounds each call from the moment it is made, whatever the driver does with its signal. Waiting for a turn is before that. */
export function withDeadline(driver: Driver, timeoutMs: number, clock: Clock): Driver {
  const bound = async <T>(
    what: string,
    { signal }: CallOptions,
    call: (options: CallOptions) => Promise<T>,
  ): Promise<T> => {
    const controller = new AbortController();
    const give = (error: unknown): void => controller.abort(error);
    const onAbort = (): void => give(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = clock.setTimeout(
      () => give(new DriverError('unavailable', `${what} was not answered within ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      return await orAborted(what, controller.signal, () => call({ signal: controller.signal }));
    } finally {
      clock.clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  };
  return {
    ...delegate(driver),
    create: (spec, options) => bound('the create call', options, (inner) => driver.create(spec, inner)),
    list: (tags, options) => bound('the list call', options, (inner) => driver.list(tags, inner)),
    destroy: (id, options) => bound('the destroy call', options, (inner) => driver.destroy(id, inner)),
    setTags: (id, tags, options) =>
      bound('the tag call', options, (inner) => driver.setTags(id, tags, inner)),
    verifyHostKey: (instance, key, options) =>
      bound('the host key check', options, (inner) => driver.verifyHostKey(instance, key, inner)),
  };
}
