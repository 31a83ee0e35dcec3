import type { Clock } from '../../domain/clock.js';
import { DriverError, type CallOptions, type Driver } from '../driver.js';

/** Bounds each call, whatever the driver does with its signal. */
export function withDeadline(driver: Driver, timeoutMs: number, clock: Clock): Driver {
  const bound = <T>(
    what: string,
    { signal }: CallOptions,
    call: (options: CallOptions) => Promise<T>,
  ): Promise<T> =>
    new Promise((resolve, reject) => {
      const controller = new AbortController();
      const end = (error: DriverError): void => {
        controller.abort(error);
        settle(() => reject(error));
      };
      const onAbort = (): void =>
        end(new DriverError('aborted', `${what} was given up`, { cause: signal.reason }));
      const timer = clock.setTimeout(
        () => end(new DriverError('unavailable', `${what} was not answered within ${timeoutMs} ms`)),
        timeoutMs,
      );
      const settle = (finish: () => void): void => {
        clock.clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        finish();
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      call({ signal: controller.signal }).then(
        (result) => settle(() => resolve(result)),
        (error: unknown) => settle(() => reject(DriverError.from(error))),
      );
    });
  return {
    name: driver.name,
    create: (spec, options) => bound('the create call', options, (inner) => driver.create(spec, inner)),
    list: (tags, options) => bound('the list call', options, (inner) => driver.list(tags, inner)),
    destroy: (id, options) => bound('the destroy call', options, (inner) => driver.destroy(id, inner)),
    setTags: (id, tags, options) =>
      bound('the tag call', options, (inner) => driver.setTags(id, tags, inner)),
    verifyHostKey: (instance, key, options) =>
      bound('the host key check', options, (inner) => driver.verifyHostKey(instance, key, inner)),
    priceHistory: (instance, type) => driver.priceHistory(instance, type),
    quotaGroup: (type) => driver.quotaGroup(type),
    stop: () => driver.stop(),
  };
}
