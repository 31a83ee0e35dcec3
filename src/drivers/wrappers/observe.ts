import type { Clock } from '../../domain/clock.js';
import { DriverError, type Driver } from '../driver.js';
import { delegate } from './delegate.js';

/** One call to the provider, after it ended (L-43, DD-2). */
export interface DriverCall {
  operation: 'Create' | 'List' | 'Destroy' | 'SetTags';
  durationMs: number;
  error: DriverError | undefined;
  /** The instance it was about, where there is one. */
  instanceId: string | undefined;
  /** Configured name of the type that was asked for; with Create. */
  instanceType: string | undefined;
}

/** Tells of each call, and makes sure that nothing but {@link DriverError} comes out of a driver. */
export function withObserver(driver: Driver, clock: Clock, observe: (call: DriverCall) => void): Driver {
  const watch = async <T>(
    about: Pick<DriverCall, 'operation' | 'instanceId' | 'instanceType'>,
    call: () => Promise<T>,
    idOf: (result: T) => string | undefined = () => about.instanceId,
  ): Promise<T> => {
    const startedAt = clock.now();
    const tell = (error: DriverError | undefined, instanceId: string | undefined): void =>
      observe({ ...about, durationMs: clock.now() - startedAt, error, instanceId });
    let result: T;
    try {
      result = await call();
    } catch (error) {
      const translated = DriverError.from(error);
      tell(translated, about.instanceId);
      throw translated;
    }
    tell(undefined, idOf(result));
    return result;
  };
  const on = (operation: 'List' | 'Destroy' | 'SetTags', instanceId?: string) => {
    return { operation, instanceId, instanceType: undefined };
  };
  return {
    ...delegate(driver),
    create: (spec, options) =>
      watch(
        { operation: 'Create', instanceId: undefined, instanceType: spec.instanceType.name },
        async () => {
          const instance = await driver.create(spec, options);
          if (!instance?.id)
            throw new DriverError('unavailable', 'the provider accepted a create call without an instance');
          return instance;
        },
        (instance) => instance.id,
      ),
    list: (tags, options) => watch(on('List'), async () => driver.list(tags, options)),
    destroy: (id, options) => watch(on('Destroy', id), async () => driver.destroy(id, options)),
    setTags: (id, tags, options) => watch(on('SetTags', id), async () => driver.setTags(id, tags, options)),
  };
}
