import type { Container, ContainerState } from '../../domain/container.js';
import { containerStates } from '../../domain/container.js';
import type {
  ContainerFilter,
  ContainerPage,
  ContainerRecord,
  ContainerRequest,
  ContainerStore,
} from '../container-store.js';
import { QueueError, type Placement } from '../queue.js';
import { containerFields, containerOf, detailsOf, ReplyError } from './container-reply.js';
import type { ControllerClient } from './controller-client.js';
import { ControllerQueue, type ControllerQueueOptions } from './controller-queue.js';
import type { ContainerResult } from '../../domain/container-work.js';

export interface ControllerContainersOptions extends ControllerQueueOptions {
  client: ControllerClient;
  /** Where it has a process now, as far as is known. */
  placeOf(uuid: string): Pick<Placement, 'instanceId' | 'instanceTypeName'> | undefined;
  /** Throws while another daemon leads, as only a leader follows the controller. */
  assertFollowing(): void;
}

/**
 * The containers of a controller as this daemon's own API shows them: those the dispatcher deals with, and any other by
 * its id. What belongs to their owners is theirs to do at the controller, and is refused here with that word.
 */
export class ControllerContainers extends ControllerQueue implements ContainerStore {
  readonly #options: ControllerContainersOptions;

  constructor(options: ControllerContainersOptions) {
    super(options);
    this.#options = options;
  }

  async submit(_requests: readonly ContainerRequest[]): Promise<ContainerRecord[]> {
    throw elsewhere('containers are not taken here', 'make a container request there');
  }

  async setPriority(): Promise<void> {
    throw elsewhere('priorities are not set here', 'set the priority of the container request there');
  }

  async output(): Promise<Pick<ContainerResult, 'stdout' | 'stderr'> | undefined> {
    throw elsewhere('logs are not kept here', 'read the log of the container request there');
  }

  /** Of those the dispatcher deals with. */
  async list({ states = [], name, instanceId, limit, after = '' }: ContainerFilter): Promise<ContainerPage> {
    this.#options.assertFollowing();
    if (name !== undefined) throw elsewhere('containers have no name here', 'look for the name there');
    const records: ContainerRecord[] = [];
    for (const { container } of this.peek().entries.values()) {
      const { uuid, state } = container;
      if (uuid <= after || (states.length > 0 && !states.includes(state))) continue;
      const record = this.#record(container);
      if (instanceId === undefined || record.instanceId === instanceId) records.push(record);
    }
    records.sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
    const items = records.slice(0, limit);
    return { items, next: records.length > limit ? items.at(-1)!.uuid : undefined };
  }

  async find(uuid: string): Promise<ContainerRecord | undefined> {
    const select = [...containerFields, 'runtime_status', 'lock_count'];
    try {
      const reply = await this.#options.client.call('GET', `containers/${uuid}`, { query: { select } });
      const { error, lockCount } = detailsOf(reply);
      const known = this.get(uuid)?.tmpMountBytes ?? 0;
      return { ...this.#record(containerOf(reply, known)), error, lockCount, attempts: lockCount };
    } catch (error) {
      if (error instanceof QueueError && error.code === 'not-found') return undefined;
      if (!(error instanceof ReplyError)) throw error;
      throw new QueueError('invalid', `the container cannot be read: ${error.message}`, { cause: error });
    }
  }

  /** Of those the dispatcher deals with. */
  async counts(): Promise<Record<ContainerState, number>> {
    this.#options.assertFollowing();
    const counts = Object.fromEntries(containerStates.map((state) => [state, 0]));
    for (const { container } of this.peek().entries.values()) counts[container.state]!++;
    return counts as Record<ContainerState, number>;
  }

  /** The dispatcher forgets those that ended. */
  failed(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** What is not known here is empty. */
  #record(container: Container): ContainerRecord {
    const { instanceId = '', instanceTypeName = '' } = this.#options.placeOf(container.uuid) ?? {};
    return {
      ...container,
      name: '',
      command: [],
      env: {},
      cwd: '',
      vcpus: container.constraints.vcpus,
      ramBytes: container.constraints.ramBytes,
      maxRunTimeMs: 0,
      attempts: 0,
      maxAttempts: 0,
      lockCount: 0,
      instanceId,
      instanceTypeName,
      startedAt: undefined,
      finishedAt: undefined,
      exitCode: undefined,
      error: '',
      cost: undefined,
    };
  }
}

function elsewhere(what: string, remedy: string): QueueError {
  return new QueueError('unsupported', `${what}: the queue is the one of controller.url, so ${remedy}`);
}
