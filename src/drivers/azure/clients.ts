import { readFileSync } from 'node:fs';
import { ComputeManagementClient } from '@azure/arm-compute';
import { NetworkManagementClient } from '@azure/arm-network';
import {
  ClientSecretCredential,
  DefaultAzureCredential,
  ManagedIdentityCredential,
  type TokenCredential,
} from '@azure/identity';
import type { Clock } from '../../domain/clock.js';
import { DriverError } from '../driver.js';
import { environmentOf, type AzureParameters } from './parameters.js';
import { faultPolicy, pollPolicy } from './pipeline-policies.js';

export interface AzureClients {
  compute: ComputeManagementClient;
  network: NetworkManagementClient;
}

interface Transport {
  tlsOptions?: { ca: string };
}

/** Connects nothing yet; the first call signs in. Throws {@link DriverError} `invalid` for a `caFile` that cannot be read. */
export function azureClients(parameters: AzureParameters, clock: Clock): AzureClients {
  const { resourceManagerEndpoint: endpoint } = environmentOf(parameters);
  const { subscriptionId, operationPollMs, caFile } = parameters;
  const transport = caFile === '' ? {} : { tlsOptions: { ca: authorityIn(caFile) } };
  const credential = credentialOf(parameters, transport);
  const shared = { endpoint, ...transport, retryOptions: { maxRetries: 0 } };
  const scope = `${endpoint}/.default`;
  const compute = new ComputeManagementClient(credential, subscriptionId, {
    ...shared,
    credentials: { scopes: [scope] },
  });
  const network = new NetworkManagementClient(credential, subscriptionId, {
    ...shared,
    credentialScopes: scope,
  });
  for (const { pipeline } of [compute, network]) {
    pipeline.addPolicy(pollPolicy(clock, operationPollMs), { phase: 'Retry' });
    // Inside what reads the bodies, which would throw first and keep less.
    pipeline.addPolicy(faultPolicy, { phase: 'Retry' });
  }
  return { compute, network };
}

function authorityIn(caFile: string): string {
  try {
    return readFileSync(caFile, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new DriverError('invalid', `driverParameters.caFile: ${caFile} cannot be read (${code})`, {
      remedy: 'give the path of a PEM file that the daemon may read',
    });
  }
}

/**
 * A service principal when its secret is given, the machine's identity when asked for, else whatever the environment
 * offers: its variables, a workload identity, a managed identity, the login of Azure's tools.
 */
function credentialOf(parameters: AzureParameters, transport: Transport): TokenCredential {
  const { tenantId, clientId, clientSecret, managedIdentity } = parameters;
  const options = {
    ...transport,
    authorityHost: environmentOf(parameters).authorityHost,
    disableInstanceDiscovery: parameters.authorityHost !== '',
  };
  if (clientSecret !== '') return new ClientSecretCredential(tenantId, clientId, clientSecret, options);
  if (managedIdentity) {
    return new ManagedIdentityCredential(clientId === '' ? transport : { ...transport, clientId });
  }
  return new DefaultAzureCredential({
    ...options,
    ...(tenantId !== '' && { tenantId }),
    ...(clientId !== '' && { managedIdentityClientId: clientId }),
  });
}
