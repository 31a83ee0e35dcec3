import { credentials, token, type FakeFault } from '../../support/azure/fake-azure.js';
import { AzureTestWorld, azureSpec } from '../../support/azure/azure-world.js';
import { requireTool } from '../../support/tools.js';
import {
  authorizationFailed,
  serverError,
  skuNotAvailable,
  throttledByCompute,
} from './documented-replies.js';
import { describeDriverContract, type CloudFault } from '../contract.js';

const faults: Record<CloudFault, FakeFault> = {
  'rate-limited': () => throttledByCompute('3'),
  capacity: ({ method, path }) =>
    method === 'PUT' && path.includes('virtualMachines') ? skuNotAvailable : undefined,
  auth: () => authorizationFailed,
  unavailable: () => serverError,
  silent: () => 'silent',
};

describeDriverContract(
  'azure',
  async () => {
    const world = await AzureTestWorld.open();
    world.azure.knobs.mostMachines = 2;
    return {
      driver: await world.raw(),
      spec: azureSpec,
      hostKeyOf: () => Promise.resolve(undefined),
      end: () => world.end(),
      reopen: () => world.raw(),
      fault: (fault) => void (world.azure.fault = faults[fault]),
      secrets: [credentials.clientSecret, token],
    };
  },
  {},
  (context) => requireTool(context, 'openssl'),
);
