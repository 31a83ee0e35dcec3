import { DriverError } from '../drivers/driver.js';
import type { DriverRecord } from '../drivers/driver-record.js';
import { readDriverRecord, writeDriverRecord } from '../queue/store/driver-records.js';
import type { Store } from '../queue/store/schema.js';

/** What a driver keeps, in the store of the daemon, where those that stand by find it. */
export function storedDriverRecord(db: Store, name: string): DriverRecord {
  const remedy = 'see to the store';
  const driverError = (cause: unknown): never => {
    throw new DriverError('unavailable', (cause as Error).message, { cause, remedy });
  };
  return {
    load: () => readDriverRecord(db, name).catch(driverError),
    save: (record) => writeDriverRecord(db, name, record).catch(driverError),
  };
}
