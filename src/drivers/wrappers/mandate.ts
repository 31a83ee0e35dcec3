import { MandateError, type Mandate } from '../../domain/mandate.js';
import { DriverError, type Driver } from '../driver.js';

/** Gives an order only while this daemon leads: asked anew for each one, right before it leaves. */
export function withMandate(driver: Driver, mandate: Mandate): Driver {
  const ordered = async <T>(order: () => Promise<T>): Promise<T> => {
    try {
      await mandate.confirm();
      mandate.assert();
    } catch (error) {
      if (!(error instanceof MandateError)) throw error;
      throw new DriverError('unavailable', error.message, { cause: error });
    }
    return order();
  };
  const fenced: Driver = {
    name: driver.name,
    create: (spec, options) => ordered(() => driver.create(spec, options)),
    list: (tags, options) => driver.list(tags, options),
    destroy: (id, options) => ordered(() => driver.destroy(id, options)),
    setTags: (id, tags, options) => ordered(() => driver.setTags(id, tags, options)),
    verifyHostKey: (instance, key, options) => driver.verifyHostKey(instance, key, options),
    priceHistory: (instance, type) => driver.priceHistory(instance, type),
    quotaGroup: (type) => driver.quotaGroup(type),
    stop: () => driver.stop(),
  };
  return driver.zones ? { ...fenced, zones: (type) => driver.zones!(type) } : fenced;
}
