import { MandateError, type Mandate } from '../../domain/leader-guard.js';
import { DriverError, type Driver } from '../driver.js';
import { delegate } from './delegate.js';

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
  return {
    ...delegate(driver),
    create: (spec, options) => ordered(() => driver.create(spec, options)),
    destroy: (id, options) => ordered(() => driver.destroy(id, options)),
    setTags: (id, tags, options) => ordered(() => driver.setTags(id, tags, options)),
    ...(driver.clearQuarantine
      ? { clearQuarantine: (id, options) => ordered(() => driver.clearQuarantine!(id, options)) }
      : {}),
  };
}
