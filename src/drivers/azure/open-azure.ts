import { AzureDriver } from './azure-driver.js';
import { azureClients } from './clients.js';
import { namePrefix, ResourceIds } from './names.js';
import { parseAzureParameters } from './parameters.js';
import type { DriverContext } from '../driver-context.js';

/** Rejects with DriverError `invalid` when the parameters make no sense; asks Azure nothing yet. */
export async function openAzureDriver({
  parameters: given,
  instanceSetId,
  clock,
  random,
  warn = (message, fields) => process.emitWarning(message, { detail: JSON.stringify(fields) }),
}: DriverContext): Promise<AzureDriver> {
  const parameters = parseAzureParameters(given);
  const clients = azureClients(parameters, clock);
  const ids = new ResourceIds(parameters.subscriptionId);
  return new AzureDriver(
    { parameters, clients, ids, prefix: namePrefix(instanceSetId), clock, warn },
    random,
  );
}
