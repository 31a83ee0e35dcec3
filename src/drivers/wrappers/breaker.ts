import type { CallGate, GatedCall } from '../call-gate.js';
import { DriverError, type Driver } from '../driver.js';
import { delegate } from './delegate.js';

/** Returns the driver behind the gate, which stops with it. A call that is not admitted is not made. */
export function withBreakers(driver: Driver, gate: CallGate): Driver {
  const pass = async <T>(call: GatedCall, make: () => Promise<T>): Promise<T> => {
    const id = gate.admit(call);
    try {
      const result = await make();
      gate.succeeded(call, id);
      return result;
    } catch (error) {
      gate.failed(call, id, DriverError.from(error));
      throw error;
    }
  };
  return {
    ...delegate(driver),
    create: (spec, options) => pass('create', () => driver.create(spec, options)),
    list: (tags, options) => pass('list', () => driver.list(tags, options)),
    destroy: (id, options) => pass('destroy', () => driver.destroy(id, options)),
    setTags: (id, tags, options) => pass('setTags', () => driver.setTags(id, tags, options)),
    stop: () => {
      gate.stop();
      return driver.stop();
    },
  };
}
