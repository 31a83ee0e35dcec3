import type { Clock } from '../../domain/clock.js';
import type { Tags } from '../../domain/instance.js';
import type { InstanceType } from '../../domain/instance-type.js';
import { DriverError, type CreateSpec, type DriverWarning } from '../driver.js';
import type { Ec2Api } from './api.js';
import { KeyPairs } from './key-pairs.js';
import { LaunchRequests } from './launch-requests.js';
import type { ListedInstance } from './listed-instance.js';
import type { Ec2Meters } from './ec2-metrics.js';
import type { Ec2Parameters } from './parameters.js';
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
  readonly #requests: LaunchRequests;

  constructor(options: LauncherOptions) {
    this.#options = options;
    this.#keyPairs = new KeyPairs(options.api, options.resourceTags);
    this.#subnets = new SubnetRotation(options.parameters.subnetId, options.clock);
    this.#requests = new LaunchRequests(options);
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

  stop(): void {
    this.#requests.stop();
  }

  async #launchIn(
    subnetId: string,
    spec: CreateSpec,
    keyName: string | undefined,
    signal: AbortSignal,
  ): Promise<ListedInstance> {
    const { meters } = this.#options;
    try {
      const made = await this.#requests.launch(spec, { subnetId, keyName }, signal);
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
