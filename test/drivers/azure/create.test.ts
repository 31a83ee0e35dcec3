import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noGpu } from '../../../src/domain/instance-type.js';
import { azureQuotaGroup } from '../../../src/drivers/azure/quota-group.js';
import { allocationFailed, skuNotAvailable, throttledByCompute } from './documented-replies.js';
import { AzureTestWorld, azureSpec } from '../../support/azure/azure-world.js';
import { subscription } from '../../support/azure/resources.js';
import { requireTool } from '../../support/tools.js';
import { errorOf, loginKey, never, type } from '../contract.js';

const options = { signal: never };
const soon = { timeout: 15_000, interval: 20 };
let world: AzureTestWorld;

beforeEach(async (context) => {
  requireTool(context, 'openssl');
  world = await AzureTestWorld.open();
});
afterEach(() => world?.end());

interface MachineRequest {
  tags: Record<string, string>;
  properties: Record<string, never> & {
    priority?: string;
    osProfile: { customData: string; computerName: string };
    storageProfile: { imageReference: Record<string, string>; osDisk: Record<string, unknown> };
  };
}

const machineRequest = (n = 0): MachineRequest =>
  JSON.parse(world.azure.calls('PUT', 'virtualMachines')[n]!.body) as MachineRequest;
const left = () => {
  const { machines, interfaces, disks } = world.azure.resources;
  return [machines.size, interfaces.size, disks.size];
};

describe('making an instance on Azure', () => {
  it('makes the interface, then the machine on it, both named after the set (AZ-4, AZ-11..AZ-16, DW-1)', async () => {
    const driver = await world.driver();
    const order = azureSpec({ initCommand: 'true', tags: { a: '1' } });
    const made = await driver.create(order, options);
    expect(made.displayName).toMatch(/^compute-zzzzz-gj3su-abc-[a-z0-9]{15}$/);
    expect(made.id).toBe(
      `/subscriptions/${subscription}/resourceGroups/longshore/providers/Microsoft.Compute/virtualMachines/${made.displayName}`,
    );
    const [nic] = world.azure.calls('PUT', 'networkInterfaces');
    expect(nic!.path).toMatch(new RegExp(`/${made.displayName}-nic$`));
    const nicBody = JSON.parse(nic!.body) as { location: string; tags: Record<string, string> };
    expect(nicBody).toMatchObject({
      location: 'centralus',
      tags: { a: '1' },
      properties: {
        ipConfigurations: [
          {
            name: 'ip1',
            properties: {
              privateIPAllocationMethod: 'Dynamic',
              subnet: {
                id: `/subscriptions/${subscription}/resourceGroups/longshore/providers/Microsoft.Network/virtualNetworks/net/subnets/subnet`,
              },
            },
          },
        ],
      },
    });
    expect(Date.now() - Date.parse(nicBody.tags['created-at']!)).toBeLessThan(60_000);
    const { tags, properties } = machineRequest();
    expect(tags).toEqual({ a: '1' });
    expect(Buffer.from(properties.osProfile.customData, 'base64').toString()).toBe('#!/bin/sh\ntrue\n');
    expect(properties).toMatchObject({
      hardwareProfile: { vmSize: 'Standard_D2s_v5' },
      osProfile: {
        computerName: made.displayName,
        adminUsername: 'crunch',
        linuxConfiguration: {
          disablePasswordAuthentication: true,
          ssh: { publicKeys: [{ path: '/home/crunch/.ssh/authorized_keys', keyData: loginKey.publicKey }] },
        },
      },
      networkProfile: { networkInterfaces: [{ properties: { primary: true, deleteOption: 'Delete' } }] },
      storageProfile: {
        imageReference: {
          id: `/subscriptions/${subscription}/resourceGroups/longshore/providers/Microsoft.Compute/images/worker`,
        },
        osDisk: {
          osType: 'Linux',
          name: `${made.displayName}-os`,
          createOption: 'FromImage',
          deleteOption: 'Delete',
        },
      },
    });
    expect(properties.priority).toBeUndefined();
  });

  it('asks for a spot machine that is deleted when its room is needed, at the standard price (AZ-17, DT-35)', async () => {
    const driver = await world.driver();
    const made = await driver.create(
      azureSpec({ instanceType: type('spot', { preemptible: true }) }),
      options,
    );
    expect(machineRequest().properties).toMatchObject({
      priority: 'Spot',
      evictionPolicy: 'Delete',
      billingProfile: { maxPrice: -1 },
    });
    world.azure.evict(made.displayName);
    expect(await driver.list({}, options)).toEqual([]);
    expect(left()).toEqual([0, 0, 0]);
  });

  it('takes an image of a gallery, of the market, or by its id (AZ-14, AZ-15)', async () => {
    const gallery = await world.driver({
      sharedImageGalleryName: 'g',
      sharedImageGalleryImageVersion: '1.0.0',
      imageResourceGroup: 'images',
    });
    await gallery.create(azureSpec(), options);
    expect(machineRequest(0).properties.storageProfile.imageReference).toEqual({
      id: `/subscriptions/${subscription}/resourceGroups/images/providers/Microsoft.Compute/galleries/g/images/worker/versions/1.0.0`,
    });
    const plain = await world.driver();
    await plain.create(azureSpec({ imageId: 'Debian:debian-12:12-gen2:latest' }), options);
    expect(machineRequest(1).properties.storageProfile.imageReference).toEqual({
      publisher: 'Debian',
      offer: 'debian-12',
      sku: '12-gen2',
      version: 'latest',
    });
    const id = '/subscriptions/other/resourceGroups/x/providers/Microsoft.Compute/images/y';
    await plain.create(azureSpec({ imageId: id }), options);
    expect(machineRequest(2).properties.storageProfile.imageReference).toEqual({ id });
  });

  it.each([
    ['added scratch', { instanceType: type('big', { addedScratchBytes: 1 }) }, /big.*scratch/],
    ['no key', { publicKey: undefined }, /log in/],
    ['no image', { imageId: '' }, /needs an image/],
    ['a VHD', { imageId: 'https://account.blob.core.windows.net/c/x.vhd' }, /unmanaged disks/],
    ['an image that is none', { imageId: '../x' }, /is no image/],
  ])('refuses %s before it asks Azure for anything (AZ-10, DT-31, DW-18)', async (_, change, message) => {
    const driver = await world.driver();
    const error = await errorOf(driver.create(azureSpec(change), options));
    expect(error).toMatchObject({ code: 'invalid', message: expect.stringMatching(message) as string });
    expect(error.remedy).toBeTruthy();
    expect(world.azure.requests).toEqual([]);
  });

  it('deletes the interface when the machine is refused, and makes no second machine of it (AZ-19, DT-32)', async () => {
    const driver = await world.driver();
    world.azure.fault = ({ method, path }) =>
      method === 'PUT' && path.includes('virtualMachines') ? skuNotAvailable : undefined;
    const error = await errorOf(driver.create(azureSpec(), options));
    expect(error).toMatchObject({ code: 'capacity', scope: 'type' });
    await expect.poll(left, soon).toEqual([0, 0, 0]);
    expect(world.azure.calls('DELETE', 'virtualMachines')).toEqual([]);
  });

  it('deletes the machine too when its making fails after it was accepted (AZ-19)', async () => {
    const driver = await world.driver();
    world.azure.knobs.failsWith = allocationFailed;
    const error = await errorOf(driver.create(azureSpec(), options));
    expect(error).toMatchObject({ code: 'capacity', scope: 'type' });
    expect(error.message).toContain('AllocationFailed');
    await expect.poll(left, soon).toEqual([0, 0, 0]);
    expect(world.azure.calls('DELETE', 'virtualMachines')).toHaveLength(1);
  });

  it('says which reference is missing, and leaves nothing (AZ-13)', async () => {
    const driver = await world.driver({ subnet: 'nowhere' });
    expect((await errorOf(driver.create(azureSpec(), options))).code).toBe('invalid');
    const imageless = await errorOf(
      (await world.driver()).create(azureSpec({ imageId: 'missing' }), options),
    );
    expect(imageless).toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('images/missing') as string,
    });
    await expect.poll(left, soon).toEqual([0, 0, 0]);
  });

  it('goes on when it may not look at an operation for a while (EC-5)', async () => {
    const driver = await world.driver();
    let refusals = 0;
    world.azure.fault = ({ path }) =>
      path.includes('/operations/') && refusals++ < 3 ? throttledByCompute('0') : undefined;
    await driver.create(azureSpec(), options);
    expect(refusals).toBeGreaterThan(3);
    expect(left()).toEqual([1, 1, 1]);
  });

  it('asks once only for what changes something (EC-5)', async () => {
    const driver = await world.driver();
    world.azure.fault = ({ method }) => (method === 'PUT' ? throttledByCompute('0') : undefined);
    expect((await errorOf(driver.create(azureSpec(), options))).code).toBe('rate-limited');
    expect(world.azure.calls('PUT', '')).toHaveLength(1);
  });

  it('makes no machine when everybody gave up before it was ordered, and goes on for who did not', async () => {
    const driver = await world.raw();
    world.azure.knobs.operationMs = 300;
    const controller = new AbortController();
    const order = azureSpec();
    const given = errorOf(driver.create(order, { signal: controller.signal }));
    await expect.poll(() => world.azure.calls('PUT', 'networkInterfaces').length, soon).toBe(1);
    controller.abort();
    expect((await given).code).toBe('aborted');
    await expect.poll(left, soon).toEqual([0, 0, 0]);
    expect(world.azure.calls('PUT', 'virtualMachines')).toEqual([]);

    const second = new AbortController();
    const [first, other] = [
      errorOf(driver.create(order, { signal: second.signal })),
      driver.create(order, options),
    ];
    await expect.poll(() => world.azure.calls('PUT', 'networkInterfaces').length, soon).toBe(2);
    second.abort();
    expect((await first).code).toBe('aborted');
    expect((await other).id).not.toBe('');
    expect(left()).toEqual([1, 1, 1]);
  });
});

describe('quota groups of Azure', () => {
  it.each([
    ['Standard_D4s_v5', false, 'DSv5'],
    ['Standard_D64s_v5', false, 'DSv5'],
    ['Standard_D4as_v5', false, 'DASv5'],
    ['Standard_E8-2ds_v5', false, 'EDSv5'],
    ['Standard_DS3_v2', false, 'DSv2'],
    ['Standard_B2ms', false, 'BS'],
    ['Standard_NC24ads_A100_v4', false, 'NCADS_A100v4'],
    ['Standard_D4s_v5', true, 'spot'],
    ['imaginary', false, 'imaginary'],
  ])('puts %s, preemptible %s, in %s (DI-8, DW-8)', (providerType, preemptible, group) => {
    expect(azureQuotaGroup(type('t', { providerType, preemptible, gpu: noGpu }))).toBe(group);
  });
});
