import { DescribeInstancesCommand, type Instance as Ec2Instance } from '@aws-sdk/client-ec2';
import { DriverError, type DriverWarning } from '../driver.js';
import type { Ec2Api } from './api.js';

/** So many are asked for at once; when more go away at the same time their reasons are alike. */
const mostAsked = 100;
/** Orders to destroy that are remembered: far more than instances go in a few lists. */
const mostOrdered = 10_000;

/**
 * Tells why instances went away that nobody ordered to go: an image that does not boot or halts, a volume that cannot be
 * made, a spot interruption. Never fails, and waits for nothing.
 */
export class Endings {
  readonly #api: Ec2Api;
  readonly #warn: DriverWarning;
  readonly #ordered = new Set<string>();
  readonly #stopped = new AbortController();

  constructor(api: Ec2Api, warn: DriverWarning) {
    this.#api = api;
    this.#warn = warn;
  }

  /** This one is to go. */
  ordered(id: string): void {
    this.#ordered.add(id);
    if (this.#ordered.size > mostOrdered) this.#ordered.delete(this.#ordered.values().next().value!);
  }

  /** These were listed, and are not any more. */
  missed(ids: readonly string[]): void {
    const unexplained = ids.filter((id) => !this.#ordered.delete(id)).slice(0, mostAsked);
    if (unexplained.length === 0) return;
    this.#tell(unexplained).catch((error: unknown) => {
      if (error instanceof DriverError && error.code === 'aborted') return;
      this.#warn('EC2 did not tell why instances went away', { instances: unexplained, err: error });
    });
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #tell(ids: string[]): Promise<void> {
    // By a filter: one that EC2 has forgotten does not fail the request then.
    const command = new DescribeInstancesCommand({ Filters: [{ Name: 'instance-id', Values: ids }] });
    const request = {
      what: 'ask why instances went away',
      kind: 'read',
      signal: this.#stopped.signal,
    } as const;
    const { Reservations: found = [] } = await this.#api.send(request, (client, abortSignal) =>
      client.send(command, { abortSignal }),
    );
    for (const instance of found.flatMap(({ Instances = [] }) => Instances)) {
      const state = instance.State?.Name;
      if (state !== 'terminated' && state !== 'shutting-down') continue;
      this.#warn('an instance went away by itself', {
        instanceId: instance.InstanceId,
        imageId: instance.ImageId,
        reason: reasonOf(instance),
      });
    }
  }
}

function reasonOf({ StateReason, StateTransitionReason }: Ec2Instance): string {
  return StateReason?.Message ?? StateReason?.Code ?? StateTransitionReason ?? 'EC2 gives no reason';
}
