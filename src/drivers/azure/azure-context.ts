import type { Clock } from '../../domain/clock.js';
import type { DriverWarning } from '../driver.js';
import type { AzureClients } from './clients.js';
import type { ResourceIds } from './names.js';
import type { AzureParameters } from './parameters.js';
import { translateAzureError } from './translate-error.js';
import type { DriverErrorCode } from '../../domain/driver-error-code.js';

/** What each part of the driver works with. */
export interface AzureWorld {
  parameters: AzureParameters;
  clients: AzureClients;
  ids: ResourceIds;
  /** Begins the names of what this instance set makes. */
  prefix: string;
  clock: Clock;
  warn: DriverWarning;
}

export interface Attempt {
  /** What is tried, as the subject of a sentence: `making the instance`. */
  what: string;
  /** What a 404 means here. */
  notFoundAs: DriverErrorCode;
  /** What must not be in the error, beside the credentials. */
  secrets?: readonly string[];
}

/** What the call to Azure gives; every failure as a DriverError. */
export async function attempt<T>(
  { parameters, clock }: AzureWorld,
  { what, notFoundAs, secrets = [] }: Attempt,
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const hidden = [parameters.clientSecret, ...secrets];
    throw translateAzureError(error, { what, nowMs: clock.now(), secrets: hidden, notFoundAs });
  }
}
