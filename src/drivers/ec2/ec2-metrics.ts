import { Counter, Gauge, type Registry } from 'prom-client';
import type { ListedInstance } from './listed-instance.js';

const prefix = 'arvados_dispatchcloud_ec2_';

/** Instances and tries to start one, by subnet (EC-7, EC-21, EC-43). Without a registry nothing is counted. */
export class Ec2Meters {
  readonly #subnets: readonly string[];
  readonly #instances: Gauge | undefined;
  readonly #starts: Counter | undefined;

  constructor(subnets: readonly string[], registry: Registry | undefined) {
    this.#subnets = subnets;
    if (!registry) return;
    const registers = [registry];
    this.#instances = new Gauge({
      name: `${prefix}instances`,
      help: 'Instances by subnet.',
      labelNames: ['subnet_id'],
      registers,
    });
    this.#starts = new Counter({
      name: `${prefix}instance_starts_total`,
      help: 'Tries to start an instance, by subnet and success.',
      labelNames: ['subnet_id', 'success'],
      registers,
    });
    for (const subnet_id of subnets.length > 0 ? subnets : ['']) {
      for (const success of ['0', '1']) this.#starts.inc({ subnet_id, success }, 0);
    }
  }

  tried(subnetId: string, hasSucceeded: boolean): void {
    this.#starts?.inc({ subnet_id: subnetId, success: hasSucceeded ? '1' : '0' });
  }

  /** After each full list. */
  listed(instances: readonly ListedInstance[]): void {
    if (!this.#instances) return;
    const counts = new Map(['', ...this.#subnets].map((id) => [id, 0]));
    for (const { subnetId } of instances) counts.set(subnetId, (counts.get(subnetId) ?? 0) + 1);
    this.#instances.reset();
    for (const [subnet_id, count] of counts) this.#instances.set({ subnet_id }, count);
  }
}
