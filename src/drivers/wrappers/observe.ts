import type { Clock } from '../../domain/clock.js';
import { DriverError, type Driver } from '../driver.js';

/** One call to the provider, after it ended (L-43, DD-2). */
export interface DriverCall {
  operation: 'Create' | 'List' | 'Destroy' | 'SetTags';
  durationMs: number;
  error: DriverError | undefined;
  /** The instance it was about, where there is one. */
  instanceId: string | undefined;
}

/** Tells of each call, and makes sure that nothing but {@link DriverError} comes out of a driver. */
export function withObserver(driver: Driver, clock: Clock, observe: (call: DriverCall) => void): Driver {
  const watch = async <T>(
    operation: DriverCall['operation'],
    instanceId: string | undefined,
    call: () => Promise<T>,
    idOf: (result: T) => string | undefined = () => instanceId,
  ): Promise<T> => {
    const startedAt = clock.now();
    const tell = (error: DriverError | undefined, id: string | undefined): void =>
      observe({ operation, durationMs: clock.now() - startedAt, error, instanceId: id });
    try {
      const result = await call();
      tell(undefined, idOf(result));
      return result;
    } catch (error) {
      const translated = DriverError.from(error);
      tell(translated, instanceId);
      throw translated;
    }
  };
  return {
    name: driver.name,
    create: (spec, options) =>
      watch(
        'Create',
        undefined,
        async () => {
          const instance = await driver.create(spec, options);
          if (!instance?.id)
            throw new DriverError('unavailable', 'the provider accepted a create call without an instance');
          return instance;
        },
        (instance) => instance.id,
      ),
    list: (tags, options) => watch('List', undefined, async () => driver.list(tags, options)),
    destroy: (id, options) => watch('Destroy', id, async () => driver.destroy(id, options)),
    setTags: (id, tags, options) => watch('SetTags', id, async () => driver.setTags(id, tags, options)),
    verifyHostKey: (instance, key, options) => driver.verifyHostKey(instance, key, options),
    priceHistory: (instance, type) => driver.priceHistory(instance, type),
    quotaGroup: (type) => driver.quotaGroup(type),
    stop: () => driver.stop(),
  };
}
