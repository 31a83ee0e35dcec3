/** What the fake resource manager keeps, in the shapes of Azure's interface. */
export interface FakeMachine {
  name: string;
  tags: Record<string, string>;
  properties: {
    vmId: string;
    provisioningState: string;
    priority?: string;
    evictionPolicy?: string;
    billingProfile?: unknown;
    hardwareProfile: { vmSize: string };
    storageProfile: { imageReference?: unknown; osDisk: { name: string; deleteOption?: string } };
    osProfile: {
      customData?: string;
      adminUsername?: string;
      linuxConfiguration?: { ssh?: { publicKeys?: unknown[] } };
    };
    networkProfile: { networkInterfaces: { id: string; properties?: { deleteOption?: string } }[] };
  };
  madeAt: number;
}

export interface FakeInterface {
  name: string;
  tags: Record<string, string>;
  address: string;
  subnetId: string;
  machine: string | undefined;
}

export interface FakeDisk {
  name: string;
  machine: string | undefined;
  timeCreated: string;
}

export interface FakeOperation {
  doneAt: number;
  isFinished: boolean;
  error: { code: string; message: string } | undefined;
  finish(): void;
}

export const subscription = '11111111-2222-3333-4444-555555555555';

/** One resource group with what is in it. */
export class FakeResources {
  readonly group = 'longshore';
  readonly location = 'centralus';
  readonly machines = new Map<string, FakeMachine>();
  readonly interfaces = new Map<string, FakeInterface>();
  readonly disks = new Map<string, FakeDisk>();
  readonly operations = new Map<string, FakeOperation>();
  #addresses = 4;

  id(provider: string, type: string, name: string): string {
    // Azure spells the group as it likes in its replies.
    const group = this.group.toUpperCase();
    return `/subscriptions/${subscription}/resourceGroups/${group}/providers/${provider}/${type}/${name}`;
  }

  nextAddress(): string {
    const n = this.#addresses++;
    return `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
  }

  /** Removes the machine and, as its options say, what belongs to it; `leak` leaves that behind. */
  removeMachine(name: string, leak: boolean): void {
    const machine = this.machines.get(name);
    if (!machine) return;
    this.machines.delete(name);
    const { osDisk } = machine.properties.storageProfile;
    const disk = this.disks.get(osDisk.name);
    if (disk) disk.machine = undefined;
    if (!leak && osDisk.deleteOption === 'Delete') this.disks.delete(osDisk.name);
    for (const { id, properties } of machine.properties.networkProfile.networkInterfaces) {
      const nic = this.interfaces.get(id.split('/').at(-1)!);
      if (!nic) continue;
      nic.machine = undefined;
      if (!leak && properties?.deleteOption === 'Delete') this.interfaces.delete(nic.name);
    }
  }

  machineBody({ name, tags, properties }: FakeMachine): unknown {
    const { customData: _hidden, ...osProfile } = properties.osProfile;
    return {
      name,
      id: this.id('Microsoft.Compute', 'virtualMachines', name),
      type: 'Microsoft.Compute/virtualMachines',
      location: this.location,
      tags,
      properties: { ...properties, osProfile },
    };
  }

  interfaceBody({ name, tags, address, subnetId, machine }: FakeInterface): unknown {
    const id = this.id('Microsoft.Network', 'networkInterfaces', name);
    const ip = { privateIPAddress: address, privateIPAllocationMethod: 'Dynamic', subnet: { id: subnetId } };
    return {
      name,
      id,
      type: 'Microsoft.Network/networkInterfaces',
      location: this.location,
      tags,
      properties: {
        provisioningState: 'Succeeded',
        ipConfigurations: [{ name: 'ip1', id: `${id}/ipConfigurations/ip1`, properties: ip }],
        ...(machine && { virtualMachine: { id: this.id('Microsoft.Compute', 'virtualMachines', machine) } }),
      },
    };
  }

  diskBody({ name, machine, timeCreated }: FakeDisk): unknown {
    return {
      name,
      id: this.id('Microsoft.Compute', 'disks', name),
      location: this.location,
      properties: {
        diskState: machine ? 'Attached' : 'Unattached',
        timeCreated,
        osType: 'Linux',
        provisioningState: 'Succeeded',
        creationData: { createOption: 'FromImage' },
      },
    };
  }
}
