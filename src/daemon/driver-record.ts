import { DriverError } from '../drivers/driver.js';
import type { DriverRecord } from '../drivers/driver-record.js';
import { readDriverRecord, writeDriverRecord } from '../queue/store/driver-records.js';
import type { Store } from '../queue/store/schema.js';

/** Keeps a driver's record in the store, where standby daemons find it. */
export function storedDriverRecord(db: Store, name: string): DriverRecord {
  const remedy = 'check the store';
  const driverError = (cause: unknown): never => {
    throw new DriverError('unavailable', (cause as Error).message, { cause, remedy });
  };
  return {
    load: () => readDriverRecord(db, name).catch(driverError),
    save: (record) => writeDriverRecord(db, name, record).catch(driverError),
  };
}
