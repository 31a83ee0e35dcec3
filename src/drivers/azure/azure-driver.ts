import type { VirtualMachine } from '@azure/arm-compute';
import type { NetworkInterface } from '@azure/arm-network';
import { createPipelineRequest } from '@azure/core-rest-pipeline';
import type { Instance, PricePoint, Tags } from '../../domain/instance.js';
import type { InstanceType } from '../../domain/instance-type.js';
import { orAborted } from '../abortable.js';
import { DriverError, type CallOptions, type CreateSpec, type Driver } from '../driver.js';
import { attempt, type AzureWorld } from './azure-context.js';
import { DanglingResources } from './leaked-resources.js';
import { makeInstance } from './make-instance.js';
import { instanceName, nicNameOf, virtualMachineNameOf } from './names.js';
import { environmentOf } from './parameters.js';
import { azureQuotaGroup } from './quota-group.js';
import { SharedWork } from './shared-work.js';

/** However long Azure takes; the caller's deadline is shorter. */
const longestMakingMs = 1_800_000;
const tagsApiVersion = '2021-04-01';

/** Virtual machines of one resource group of Azure (AZ-1..AZ-32). */
export class AzureDriver implements Driver {
  readonly name = 'azure';
  readonly #world: AzureWorld;
  readonly #random: () => number;
  readonly #making = new SharedWork<VirtualMachine>();
  readonly #dangling: DanglingResources;
  /** Private address by the id of the interface, in lower case. */
  #addresses: ReadonlyMap<string, string> = new Map();

  constructor(world: AzureWorld, random: () => number) {
    this.#world = world;
    this.#random = random;
    this.#dangling = new DanglingResources(world, (instance) => this.#making.has(instance));
  }

  /** Resolves when Azure is done, and so tells of a lack of capacity; that takes a minute or more (AZ-18). */
  async create(spec: CreateSpec, { signal }: CallOptions): Promise<Instance> {
    const publicKey = acceptedKeyOf(spec);
    const name = instanceName(this.#world.prefix, spec.idempotencyToken, this.#random);
    const machine = await this.#making.join(name, `making ${name}`, signal, (control) =>
      makeInstance(this.#world, {
        name,
        spec,
        publicKey,
        signal: AbortSignal.any([control.signal, AbortSignal.timeout(longestMakingMs)]),
        onOrdered: control.commit,
        inBackground: (work) => this.#dangling.run(work),
      }),
    );
    return this.#instanceOf({ ...machine, name, tags: machine.tags ?? { ...spec.tags } });
  }

  list(tags: Tags, { signal }: CallOptions): Promise<Instance[]> {
    return orAborted('listing the instances', signal, async () => {
      const what = 'listing the instances';
      const [machines] = await attempt(this.#world, { what, notFoundAs: 'invalid' }, () =>
        Promise.all([this.#machines(signal), this.#refreshAddresses(signal)]),
      );
      const wanted = Object.entries(tags);
      return machines
        .filter((machine) => wanted.every(([key, value]) => machine.tags?.[key] === value))
        .map((machine) => this.#instanceOf(machine));
    });
  }

  /** Resolves when Azure accepted; the interface and the disk go with the machine. */
  destroy(id: string, { signal }: CallOptions): Promise<void> {
    return orAborted('destroying the instance', signal, async () => {
      const { parameters, clients, ids } = this.#world;
      const name = virtualMachineNameOf(ids, parameters.resourceGroup, id);
      if (name === undefined) return;
      try {
        await attempt(this.#world, { what: `destroying ${name}`, notFoundAs: 'not-found' }, () =>
          clients.compute.virtualMachines
            .delete(parameters.resourceGroup, name, { forceDeletion: true, abortSignal: signal })
            .submitted(),
        );
      } catch (error) {
        if ((error as DriverError).code !== 'not-found') throw error;
      }
    });
  }

  setTags(id: string, tags: Tags, { signal }: CallOptions): Promise<void> {
    return orAborted('saving the tags', signal, async () => {
      const { parameters, clients, ids } = this.#world;
      const name = virtualMachineNameOf(ids, parameters.resourceGroup, id);
      if (name === undefined)
        throw new DriverError('not-found', `${id} is no instance of this resource group`);
      const { resourceManagerEndpoint } = environmentOf(parameters);
      const path = `${ids.virtualMachine(parameters.resourceGroup, name)}/providers/Microsoft.Resources/tags/default`;
      const request = createPipelineRequest({
        url: `${resourceManagerEndpoint}${path}?api-version=${tagsApiVersion}`,
        method: 'PATCH',
        body: JSON.stringify({ operation: 'Replace', properties: { tags } }),
        abortSignal: signal,
      });
      request.headers.set('content-type', 'application/json');
      await attempt(this.#world, { what: `saving the tags of ${name}`, notFoundAs: 'not-found' }, () =>
        clients.network.sendRequest(request),
      );
    });
  }

  /** Azure does not tell the host key; the instance secret decides (AZ-30). */
  verifyHostKey(_instance: Instance, _key: Uint8Array, { signal }: CallOptions): Promise<undefined> {
    return orAborted('checking the host key', signal, () => Promise.resolve(undefined));
  }

  priceHistory(_instance: Instance, _type: InstanceType): readonly PricePoint[] {
    return [];
  }

  quotaGroup(type: InstanceType): string {
    return azureQuotaGroup(type);
  }

  async stop(): Promise<void> {
    await this.#making.stop();
    await this.#dangling.stop();
  }

  async #machines(signal: AbortSignal): Promise<VirtualMachine[]> {
    const { parameters, clients } = this.#world;
    const options = { abortSignal: signal };
    const machines: VirtualMachine[] = [];
    for await (const machine of clients.compute.virtualMachines.list(parameters.resourceGroup, options)) {
      machines.push(machine);
    }
    return machines;
  }

  /** Keeps the known addresses when some cannot be read (AZ-21). */
  async #refreshAddresses(signal: AbortSignal): Promise<void> {
    const { parameters, clients, warn } = this.#world;
    const nics: NetworkInterface[] = [];
    try {
      const options = { abortSignal: signal };
      for await (const nic of clients.network.networkInterfaces.list(parameters.resourceGroup, options)) {
        nics.push(nic);
      }
      this.#addresses = addressesIn(nics);
    } catch (error) {
      if (nics.length === 0 || signal.aborted) throw error;
      this.#addresses = new Map([...this.#addresses, ...addressesIn(nics)]);
      warn('not all network interfaces could be listed', {
        read: nics.length,
        why: (error as Error).message,
      });
    }
    this.#dangling.interfacesListed(nics);
  }

  #instanceOf({ name = '', hardwareProfile, networkProfile, tags }: VirtualMachine): Instance {
    const { parameters, ids } = this.#world;
    const [nic] = networkProfile?.networkInterfaces ?? [];
    const nicId =
      nic?.id ?? ids.of(parameters.resourceGroup, 'Microsoft.Network', 'networkInterfaces', nicNameOf(name));
    return {
      id: ids.virtualMachine(parameters.resourceGroup, name),
      displayName: name,
      providerType: hardwareProfile?.vmSize ?? '',
      address: this.#addresses.get(nicId.toLowerCase()) ?? '',
      remoteUser: parameters.adminUsername,
      tags: { ...tags },
      priceHistory: [],
    };
  }
}

function addressesIn(nics: readonly NetworkInterface[]): ReadonlyMap<string, string> {
  return new Map(
    nics.map(({ id = '', ipConfigurations }) => [
      id.toLowerCase(),
      ipConfigurations?.[0]?.privateIPAddress ?? '',
    ]),
  );
}

/** The key, of what Azure can make (AZ-10, DW-18). Throws DriverError `invalid`. */
function acceptedKeyOf({ instanceType, publicKey }: CreateSpec): string {
  if (instanceType.addedScratchBytes > 0) {
    throw new DriverError(
      'invalid',
      `instance type ${instanceType.name}: the azure driver adds no scratch disks`,
      {
        remedy: 'remove addedScratch, and choose a size whose own disk is large enough as includedScratch',
      },
    );
  }
  if (publicKey === undefined) {
    throw new DriverError('invalid', 'Azure makes no machine that nobody can log in to', {
      remedy: 'set pool.deployPublicKey to true',
    });
  }
  return publicKey;
}
