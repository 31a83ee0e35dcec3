import { systemClock } from '../domain/clock.js';
import type { OfferedType, OfferQuery } from '../domain/instance-type.js';
import { DriverError } from './driver.js';

/**
 * What a provider offers, with prices, by its own description; `parameters` are those of the driver. Rejects with
 * {@link DriverError}, also for a driver whose provider gives no such list.
 */
export async function offeredTypes(
  driver: string,
  parameters: unknown,
  query: OfferQuery,
  signal: AbortSignal,
): Promise<OfferedType[]> {
  if (driver !== 'ec2') {
    throw new DriverError('invalid', `the driver "${driver}" has no list of types: --driver ec2 has`);
  }
  const { parseEc2Parameters } = await import('./ec2/parameters.js');
  const settings = parseEc2Parameters(parameters);
  const { ec2OfferedTypes } = await import('./ec2/offered-types.js');
  return ec2OfferedTypes(settings, query, systemClock, signal);
}
