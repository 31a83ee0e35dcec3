import type * as z from 'zod';
import { azureSchema, retiredAzureParameters } from './azure/parameters.js';
import { ec2Schema } from './ec2/parameters.js';
import { execSchema } from './exec/parameters.js';
import { loopbackSchema } from './loopback/parameters.js';
import { simulatedSchema } from './simulated/parameters.js';
import { staticSchema } from './static/parameters.js';

export { isSecretParameter } from './secret-parameter.js';

/** What a driver takes as `driverParameters`. */
export interface DriverParameters {
  schema: z.ZodType;
  /** Parameters of earlier times, with what to do instead. */
  retired?: Readonly<Record<string, string>>;
}

/** By the driver's name. Loads no provider's library, so that a configuration can be checked anywhere. */
export const driverParameters: ReadonlyMap<string, DriverParameters> = new Map<string, DriverParameters>([
  ['azure', { schema: azureSchema, retired: retiredAzureParameters }],
  ['ec2', { schema: ec2Schema }],
  ['loopback', { schema: loopbackSchema }],
  ['exec', { schema: execSchema }],
  ['static', { schema: staticSchema }],
  ['simulated', { schema: simulatedSchema }],
]);
