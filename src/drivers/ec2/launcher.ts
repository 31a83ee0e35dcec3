import { RunInstancesCommand, type Instance as Ec2Instance } from '@aws-sdk/client-ec2';
import type { Clock } from '../../domain/clock.js';
import type { Tags } from '../../domain/instance.js';
import type { InstanceType } from '../../domain/instance-type.js';
import { DriverError, type CreateSpec, type DriverWarning } from '../driver.js';
import type { Ec2Api } from './api.js';
import { KeyPairs } from './key-pairs.js';
import { isGone, type ListedInstance } from './listed-instance.js';
import type { Ec2Meters } from './meters.js';
import type { Ec2Parameters } from './parameters.js';
import { secretsIn } from './redactor.js';
import { runInstancesInput, userData } from './run-instances.js';
import { SubnetRotation } from './subnet-rotation.js';
import { hasEc2Code, isSubnetSpecific } from './translate-error.js';

export interface LauncherOptions {
  api: Ec2Api;
  parameters: Ec2Parameters;
  clock: Clock;
  /** Of the key pair. */
  resourceTags: Tags;
  meters: Ec2Meters;
  warn: DriverWarning;
}

/** Makes instances, in the first subnet that has room (EC-10..EC-34). */
export class Launcher {
  readonly #options: LauncherOptions;
  readonly #keyPairs: KeyPairs;
  readonly #subnets: SubnetRotation;

  constructor(options: LauncherOptions) {
    this.#options = options;
    this.#keyPairs = new KeyPairs(options.api, options.resourceTags);
    this.#subnets = new SubnetRotation(options.parameters.subnetId, options.clock);
  }

  /** Where the type can be made: the subnets, the one of the last try first; empty for one or none, as there is no choice. */
  zones(type: InstanceType): readonly string[] {
    return this.#options.parameters.subnetId.length > 1 ? this.#subnets.order(type) : [];
  }

  /**
   * One instance: in the subnet that the order names, else in the first one that takes it. Rejects with
   * {@link DriverError}: the last lack of capacity if there was one, else the last error (EC-24).
   */
  async launch(spec: CreateSpec, signal: AbortSignal): Promise<ListedInstance> {
    const { publicKey, instanceType, idempotencyToken, zone } = spec;
    const keyName = publicKey === undefined ? undefined : await this.#keyPairs.nameOf(publicKey, signal);
    if (zone !== undefined) {
      this.#subnets.trying(instanceType, idempotencyToken, zone);
      return this.#launchIn(zone, spec, keyName, signal).catch((error: unknown) => {
        throw isSubnetSpecific(error) ? inZone(error as DriverError) : error;
      });
    }
    const order = this.#subnets.order(instanceType, idempotencyToken);
    let lacking: unknown;
    for (const [index, subnetId] of order.entries()) {
      this.#subnets.trying(instanceType, idempotencyToken, subnetId);
      try {
        return await this.#launchIn(subnetId, spec, keyName, signal);
      } catch (error) {
        if (error instanceof DriverError && error.code === 'capacity') lacking = error;
        const isLast = index === order.length - 1;
        if (isLast || !isSubnetSpecific(error)) throw lacking ?? error;
        this.#options.warn('a subnet cannot take an instance: the next one is tried', {
          subnetId,
          instanceType: instanceType.name,
          err: error,
        });
      }
    }
    throw new DriverError('invalid', 'create an instance: there is no subnet');
  }

  async #launchIn(
    subnetId: string,
    spec: CreateSpec,
    keyName: string | undefined,
    signal: AbortSignal,
  ): Promise<ListedInstance> {
    const { api, parameters, meters } = this.#options;
    const command = new RunInstancesCommand(runInstancesInput(spec, parameters, { subnetId, keyName }));
    const hidden = [userData(spec.initCommand), ...secretsIn(spec.initCommand), ...(spec.secrets ?? [])];
    const where = subnetId === '' ? '' : ` in ${subnetId}`;
    const what = `create a ${spec.instanceType.providerType} instance${where}`;
    try {
      const { Instances } = await api.send({ what, kind: 'create', signal, hidden }, (client, abortSignal) =>
        client.send(command, { abortSignal }),
      );
      const made = madeInstance(what, Instances?.[0], spec);
      meters.tried(subnetId, true);
      return made;
    } catch (error) {
      meters.tried(subnetId, false);
      if (hasEc2Code(error, 'InvalidKeyPair.NotFound')) this.#keyPairs.forget();
      throw error;
    }
  }
}

/** What is wrong with one subnet leaves the others as they are: a lack of capacity there, whatever EC2 calls it. */
function inZone(error: DriverError): DriverError {
  if (error.code === 'capacity') return error;
  const { message, cause, remedy } = error;
  const scope = hasEc2Code(error, 'Unsupported') ? 'type' : 'zone';
  return new DriverError('capacity', message, { cause, scope, ...(remedy === undefined ? {} : { remedy }) });
}

/** Throws {@link DriverError} for a reply that tells of no instance (EC-19, DW-4) or of one that has ended already. */
function madeInstance(what: string, made: Ec2Instance | undefined, spec: CreateSpec): ListedInstance {
  if (!made?.InstanceId) {
    throw new DriverError('unavailable', `${what}: EC2 accepted the request and told of no instance`, {
      remedy: 'should one appear in the list, it is taken into service or destroyed',
    });
  }
  const instance: ListedInstance = {
    id: made.InstanceId,
    state: made.State?.Name ?? '',
    type: made.InstanceType ?? spec.instanceType.providerType,
    privateIp: made.PrivateIpAddress ?? '',
    subnetId: made.SubnetId ?? '',
    zone: made.Placement?.AvailabilityZone ?? '',
    isSpot: made.InstanceLifecycle === 'spot',
    tags: { ...spec.tags },
  };
  if (!isGone(instance)) return instance;
  const reason = made.StateReason?.Code ?? made.StateTransitionReason ?? 'no reason was given';
  throw new DriverError('unavailable', `${what}: instance ${instance.id} has ended already: ${reason}`);
}
