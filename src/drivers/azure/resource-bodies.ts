import type { ImageReference, VirtualMachine } from '@azure/arm-compute';
import type { NetworkInterface } from '@azure/arm-network';
import type { CreateSpec } from '../driver.js';
import { diskNameOf, type ResourceIds } from './names.js';
import type { AzureParameters } from './parameters.js';

/** The tag that tells when an interface was made, so that one left over can be known by its age (AZ-12). */
export const createdAtTag = 'created-at';

/** The network interface of an instance (AZ-13). */
export function nicBody(
  parameters: AzureParameters,
  spec: CreateSpec,
  ids: ResourceIds,
  nowMs: number,
): NetworkInterface {
  const { networkResourceGroup, network, subnet } = parameters;
  return {
    location: parameters.location,
    tags: { ...spec.tags, [createdAtTag]: new Date(nowMs).toISOString() },
    ipConfigurations: [
      {
        name: 'ip1',
        privateIPAllocationMethod: 'Dynamic',
        subnet: {
          id: ids.of(
            networkResourceGroup,
            'Microsoft.Network',
            'virtualNetworks',
            network,
            'subnets',
            subnet,
          ),
        },
      },
    ],
  };
}

export interface VirtualMachineParts {
  name: string;
  nicId: string;
  image: ImageReference;
  publicKey: string;
}

/**
 * The virtual machine itself (AZ-16, AZ-17). Its interface and its disk go when it goes. A preemptible one pays up to
 * the standard price, so that only lack of capacity ends it, and is deleted then.
 */
export function virtualMachineBody(
  { location, adminUsername }: AzureParameters,
  { instanceType, tags, initCommand }: CreateSpec,
  { name, nicId, image, publicKey }: VirtualMachineParts,
): VirtualMachine {
  return {
    location,
    tags: { ...tags },
    hardwareProfile: { vmSize: instanceType.providerType },
    storageProfile: {
      imageReference: image,
      osDisk: { osType: 'Linux', name: diskNameOf(name), createOption: 'FromImage', deleteOption: 'Delete' },
    },
    osProfile: {
      computerName: name,
      adminUsername,
      customData: Buffer.from(`#!/bin/sh\n${initCommand}\n`).toString('base64'),
      linuxConfiguration: {
        disablePasswordAuthentication: true,
        ssh: { publicKeys: [{ path: `/home/${adminUsername}/.ssh/authorized_keys`, keyData: publicKey }] },
      },
    },
    networkProfile: { networkInterfaces: [{ id: nicId, primary: true, deleteOption: 'Delete' }] },
    ...(instanceType.preemptible && {
      priority: 'Spot',
      evictionPolicy: 'Delete',
      billingProfile: { maxPrice: -1 },
    }),
  };
}
