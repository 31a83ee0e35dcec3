import type { Instance, PricePoint, Tags } from '../../domain/instance.js';
import type { InstanceType } from '../../domain/instance-type.js';
import { DriverError, type CallOptions, type CreateSpec, type Driver } from '../driver.js';
import { orAborted } from '../abortable.js';
import type { SimulatedCloud } from './simulated-cloud.js';

/** One daemon's access to a simulated cloud. Stopping it leaves the cloud alone unless `onStop` ends that too. */
export class SimulatedDriver implements Driver {
  readonly name = 'simulated';
  readonly #cloud: SimulatedCloud;
  readonly #onStop: () => Promise<void>;
  #stopping: Promise<void> | undefined;

  constructor(cloud: SimulatedCloud, onStop: () => Promise<void> = () => Promise.resolve()) {
    this.#cloud = cloud;
    this.#onStop = onStop;
  }

  create(spec: CreateSpec, { signal }: CallOptions): Promise<Instance> {
    return this.#call('create', signal, () => this.#cloud.create(spec));
  }

  list(tags: Tags, { signal }: CallOptions): Promise<Instance[]> {
    return this.#call('list', signal, () => this.#cloud.list(tags));
  }

  destroy(id: string, { signal }: CallOptions): Promise<void> {
    return this.#call('destroy', signal, () => this.#cloud.destroy(id));
  }

  setTags(id: string, tags: Tags, { signal }: CallOptions): Promise<void> {
    return this.#call('setTags', signal, () => this.#cloud.setTags(id, tags));
  }

  verifyHostKey(instance: Instance, key: Uint8Array, { signal }: CallOptions): Promise<boolean | undefined> {
    return this.#call('verifyHostKey', signal, () =>
      Promise.resolve(this.#cloud.isHostKey(instance.id, key)),
    );
  }

  priceHistory(_instance: Instance, type: InstanceType): readonly PricePoint[] {
    return type.preemptible ? this.#cloud.prices.of(type, this.#cloud.knobs.priceIntervalMs) : [];
  }

  quotaGroup(type: InstanceType): string {
    return simulatedQuotaGroup(type);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#onStop();
    return this.#stopping;
  }

  #call<T>(what: string, signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    if (this.#stopping) return Promise.reject(new DriverError('unavailable', 'the driver was stopped'));
    return orAborted(what, signal, call);
  }
}

/** The first letter of the provider type; preemptible instances have quotas of their own. */
export function simulatedQuotaGroup({ providerType, preemptible }: InstanceType): string {
  return `${providerType.slice(0, 1)}${preemptible ? '-p' : ''}`;
}
