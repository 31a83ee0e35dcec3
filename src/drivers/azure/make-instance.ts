import type { VirtualMachine } from '@azure/arm-compute';
import type { CreateSpec } from '../driver.js';
import { attempt, type AzureWorld } from './azure-context.js';
import { AzureFaultError } from './fault.js';
import { imageReference } from './image.js';
import { nicNameOf } from './names.js';
import { nicBody, virtualMachineBody } from './resource-bodies.js';

export interface Making {
  name: string;
  spec: CreateSpec;
  /** Of a spec that was checked. */
  publicKey: string;
  signal: AbortSignal;
  /** From here on the instance may come to be, and cannot be given up any more. */
  onOrdered(): void;
  /** Goes on by itself after the outcome is known, until the signal aborts. */
  inBackground(work: (signal: AbortSignal) => Promise<void>): void;
}

/**
 * Makes the interface, then the virtual machine, and waits until Azure is done (AZ-13..AZ-18). A machine of that name
 * that is there already is what the same wish made before. After a failure what was made is deleted (AZ-19); a failure
 * to do so is a warning. Rejects with DriverError.
 */
export async function makeInstance(world: AzureWorld, making: Making): Promise<VirtualMachine> {
  const { parameters, ids } = world;
  const { spec } = making;
  const image = imageReference(spec.imageId, parameters, ids);
  const secrets = [spec.initCommand, customDataOf(spec), ...(spec.initCommand.match(/[0-9a-f]{32,}/g) ?? [])];
  const what = `making ${making.name}`;
  return attempt(world, { what, notFoundAs: 'invalid', secrets }, async () => {
    const progress = { mayBeThere: false };
    try {
      const nicId = await putInterface(world, making);
      return await putMachine(world, making, nicId, image, progress);
    } catch (error) {
      if (isThereAlready(error)) return getMachine(world, making);
      making.inBackground((signal) => cleanUp(world, making.name, progress.mayBeThere, signal));
      throw error;
    }
  });
}

async function putInterface(world: AzureWorld, { name, spec, signal }: Making): Promise<string> {
  const { parameters, clients, ids, clock } = world;
  const nic = await clients.network.networkInterfaces.beginCreateOrUpdateAndWait(
    parameters.resourceGroup,
    nicNameOf(name),
    nicBody(parameters, spec, ids, clock.now()),
    { abortSignal: signal, updateIntervalInMs: parameters.operationPollMs },
  );
  signal.throwIfAborted();
  return (
    nic.id ?? ids.of(parameters.resourceGroup, 'Microsoft.Network', 'networkInterfaces', nicNameOf(name))
  );
}

async function putMachine(
  { parameters, clients }: AzureWorld,
  { name, spec, publicKey, signal, onOrdered }: Making,
  nicId: string,
  image: ReturnType<typeof imageReference>,
  progress: { mayBeThere: boolean },
): Promise<VirtualMachine> {
  const body = virtualMachineBody(parameters, spec, { name, nicId, image, publicKey });
  onOrdered();
  const order = clients.compute.virtualMachines.createOrUpdate(parameters.resourceGroup, name, body, {
    abortSignal: signal,
    updateIntervalInMs: parameters.operationPollMs,
    ifNoneMatch: '*',
  });
  try {
    await order.submitted();
    progress.mayBeThere = true;
  } catch (error) {
    progress.mayBeThere = !isRefusal(error);
    throw error;
  }
  return order.pollUntilDone();
}

function getMachine({ parameters, clients }: AzureWorld, { name, signal }: Making): Promise<VirtualMachine> {
  return clients.compute.virtualMachines.get(parameters.resourceGroup, name, { abortSignal: signal });
}

/** The machine first, as far as there may be one: while it is there its interface cannot go. */
async function cleanUp(
  { parameters, clients, warn }: AzureWorld,
  name: string,
  mayBeThere: boolean,
  abortSignal: AbortSignal,
): Promise<void> {
  const { resourceGroup, operationPollMs: updateIntervalInMs } = parameters;
  const options = { updateIntervalInMs, abortSignal };
  try {
    if (mayBeThere) {
      await clients.compute.virtualMachines.delete(resourceGroup, name, { ...options, forceDeletion: true });
    }
    await clients.network.networkInterfaces.beginDeleteAndWait(resourceGroup, nicNameOf(name), options);
  } catch (error) {
    if (abortSignal.aborted) return;
    warn('what a failed creation left could not be deleted yet', {
      instance: name,
      why: (error as Error).message,
    });
  }
}

function isRefusal(error: unknown): boolean {
  const status = error instanceof AzureFaultError ? error.fault.status : undefined;
  return status !== undefined && status < 500;
}

function isThereAlready(error: unknown): boolean {
  return error instanceof AzureFaultError && error.fault.status === 412;
}

/** As Azure may show it in an error. */
function customDataOf({ initCommand }: CreateSpec): string {
  return Buffer.from(`#!/bin/sh\n${initCommand}\n`).toString('base64');
}
