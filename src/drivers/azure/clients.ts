import { ComputeManagementClient } from '@azure/arm-compute';
import { NetworkManagementClient } from '@azure/arm-network';
import {
  ClientSecretCredential,
  DefaultAzureCredential,
  ManagedIdentityCredential,
  type TokenCredential,
} from '@azure/identity';
import type { Clock } from '../../domain/clock.js';
import { environmentOf, type AzureParameters } from './parameters.js';
import { faultPolicy, pollPolicy } from './pipeline-policies.js';

export interface AzureClients {
  compute: ComputeManagementClient;
  network: NetworkManagementClient;
}

export interface ClientOptions {
  clock: Clock;
  /** Pause between two looks at an operation, unless Azure names one. */
  pollIntervalMs: number;
  /** PEM of the authority to trust beside the usual ones. */
  ca?: string | undefined;
}

/** Connects nothing yet; the first call signs in. */
export function azureClients(parameters: AzureParameters, options: ClientOptions): AzureClients {
  const { resourceManagerEndpoint: endpoint } = environmentOf(parameters);
  const transport = transportOf(options);
  const credential = credentialOf(parameters, transport);
  const shared = { endpoint, ...transport, retryOptions: { maxRetries: 0 } };
  const scope = `${endpoint}/.default`;
  const { subscriptionId } = parameters;
  const compute = new ComputeManagementClient(credential, subscriptionId, {
    ...shared,
    credentials: { scopes: [scope] },
  });
  const network = new NetworkManagementClient(credential, subscriptionId, {
    ...shared,
    credentialScopes: scope,
  });
  for (const { pipeline } of [compute, network]) {
    pipeline.addPolicy(pollPolicy(options.clock, options.pollIntervalMs));
    pipeline.addPolicy(faultPolicy);
  }
  return { compute, network };
}

interface Transport {
  tlsOptions?: { ca: string };
}

function transportOf({ ca }: ClientOptions): Transport {
  return ca === undefined ? {} : { tlsOptions: { ca } };
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
