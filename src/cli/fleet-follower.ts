import { setTimeout as pause } from 'node:timers/promises';
import { ClientError, type Client } from './client.js';
import { serverEvents } from './server-sent-events.js';
import type { FleetBody, InstanceBody, Page } from './wire.js';

interface Changes {
  instances: InstanceBody[];
  gone: string[];
  launches: InstanceBody[];
}

/** A snapshot of the fleet. */
export interface FleetNow {
  fleet: FleetBody;
  /** Includes pending create calls. */
  instances: InstanceBody[];
}

const retryMs = 1_000;

/** Fetches a snapshot once. Rejects with {@link ClientError}. */
export async function fetchFleet(client: Client): Promise<FleetNow> {
  const [fleet, { items: instances }] = await Promise.all([
    client.get<FleetBody>('/v1/fleet'),
    client.get<Page<InstanceBody>>('/v1/instances'),
  ]);
  return { fleet, instances };
}

/** Follows the fleet over the daemon's event stream, and reconnects after a lost connection. */
export class FleetFollower {
  /** Why the snapshot may be outdated; `''` while it is current. */
  trouble = '';
  readonly #client: Client;
  readonly #onChange: () => void;
  readonly #stopping = new AbortController();
  readonly #instances = new Map<string, InstanceBody>();
  #launches: InstanceBody[] = [];
  #fleet: FleetBody | undefined;

  constructor(client: Client, onChange: () => void) {
    this.#client = client;
    this.#onChange = onChange;
  }

  /** `undefined` before the first response. */
  now(): FleetNow | undefined {
    if (!this.#fleet) return undefined;
    return { fleet: this.#fleet, instances: [...this.#instances.values(), ...this.#launches] };
  }

  /** Follows until stopped. Rejects with {@link ClientError} when the daemon never responded or refuses the token. */
  async follow(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        for await (const { event, data } of serverEvents(this.#client.stream('/v1/events', signal))) {
          await this.#take(event, data);
        }
        this.#lost('the daemon closed the connection');
      } catch (error) {
        if (signal.aborted) return;
        const isRefusal = error instanceof ClientError && error.exitCode === 4;
        if (isRefusal || !this.#fleet) throw error;
        this.#lost((error as Error).message);
      }
      await pause(retryMs, undefined, { signal }).catch(() => {});
    }
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #take(event: string, data: string): Promise<void> {
    if (event === 'reset') this.#replace(await fetchFleet(this.#client));
    else if (event === 'summary') this.#fleet = JSON.parse(data) as FleetBody;
    else if (event === 'changes') this.#apply(JSON.parse(data) as Changes);
    this.#onChange();
  }

  #replace({ fleet, instances }: FleetNow): void {
    this.trouble = '';
    this.#fleet = fleet;
    this.#instances.clear();
    this.#launches = instances.filter(({ instance }) => instance === '');
    for (const each of instances) if (each.instance !== '') this.#instances.set(each.instance, each);
  }

  #apply({ instances, gone, launches }: Changes): void {
    for (const each of instances) this.#instances.set(each.instance, each);
    for (const id of gone) this.#instances.delete(id);
    this.#launches = launches;
  }

  #lost(why: string): void {
    this.trouble = why;
    this.#onChange();
  }
}
