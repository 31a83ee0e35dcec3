import type { Clock } from '../../domain/clock.js';
import type { Instance, Tags } from '../../domain/instance.js';
import type { ExecutorFactory } from '../../ssh/executor.js';
import { orAborted } from '../abortable.js';
import type { DriverRecord } from '../driver-record.js';
import { DriverError, type CallOptions, type CreateSpec, type Driver } from '../driver.js';
import { readAssignments, writeAssignments, type Assignment, type Assignments } from './assignments.js';
import type { StaticHost, StaticParameters } from './parameters.js';
import { releaseHost } from './release-host.js';
import { afterFailure, mayNotTry, quarantineOf } from './release-tries.js';

export interface StaticOptions {
  parameters: StaticParameters;
  record: DriverRecord;
  /** Logs in to a host that is released. */
  executors: ExecutorFactory;
  clock: Clock;
}

/**
 * Hosts that are there anyway, as a fleet: creating assigns one, destroying ends what runs on it and releases it. Nothing
 * is installed: the login key must be on the host, and the host's key in the inventory. A host that left the inventory stays in use until
 * it is released, and is not assigned again. A host whose release failed several times is quarantined: it stays in the
 * list, nothing is tried on it, and it is assigned again only when an operator clears it.
 */
export class StaticDriver implements Driver {
  readonly name = 'static';
  readonly #hosts: readonly StaticHost[];
  readonly #options: StaticOptions;
  /** As of the last load or save. */
  #known: { now: Assignments; version: number } | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: StaticOptions) {
    this.#hosts = options.parameters.hosts;
    this.#options = options;
  }

  create(spec: CreateSpec, { signal }: CallOptions): Promise<Instance> {
    return orAborted('create', signal, () =>
      this.#inTurn(signal, async (now) => {
        const { providerType } = spec.instanceType;
        const known = now.assigned.find(({ wish }) => wish !== '' && wish === spec.idempotencyToken);
        if (known) return this.#instance(known);
        const host = this.#longestRested(providerType, now);
        const assignment: Assignment = {
          id: `static-${now.nextNumber}-${nameOf(host)}`,
          address: host.address,
          user: host.user,
          type: host.type,
          hostKeys: host.hostKey,
          tags: { ...spec.tags },
          wish: spec.idempotencyToken,
        };
        await this.#save({
          nextNumber: now.nextNumber + 1,
          assigned: [...now.assigned, assignment],
          released: now.released.filter((address) => address !== host.address),
        });
        return this.#instance(assignment);
      }),
    );
  }

  list(_tags: Tags, { signal }: CallOptions): Promise<Instance[]> {
    return orAborted('list', signal, () =>
      this.#inTurn(signal, async ({ assigned }) => assigned.map((each) => this.#instance(each))),
    );
  }

  destroy(id: string, { signal }: CallOptions): Promise<void> {
    return orAborted('destroy', signal, async () => {
      const assignment = await this.#inTurn(signal, async ({ assigned }) =>
        assigned.find((each) => each.id === id),
      );
      if (!assignment) return;
      // Of a host that the operator took away, nothing is awaited any more.
      if (this.#hosts.some(({ address }) => address === assignment.address)) {
        // The order stands; what is left of it is the operator's.
        if (quarantineOf(assignment)) return;
        const refusal = mayNotTry(assignment, this.#options.clock.now());
        if (refusal) throw refusal;
      }
      await this.#release(assignment, signal).catch((error: unknown) => this.#noteFailure(id, error, signal));
      await this.#free(id, signal);
    });
  }

  clearQuarantine(id: string, { signal, force }: CallOptions & { force: boolean }): Promise<boolean> {
    return orAborted('clearQuarantine', signal, async () => {
      const assignment = await this.#inTurn(signal, async ({ assigned }) =>
        assigned.find((each) => each.id === id),
      );
      if (!assignment || !quarantineOf(assignment)) return false;
      if (!force) await this.#release(assignment, signal);
      await this.#free(id, signal);
      return true;
    });
  }

  setTags(id: string, tags: Tags, { signal }: CallOptions): Promise<void> {
    return orAborted('setTags', signal, () =>
      this.#inTurn(signal, async (now) => {
        if (!now.assigned.some((each) => each.id === id)) {
          throw new DriverError('not-found', `there is no instance ${id}`);
        }
        const assigned = now.assigned.map((each) => (each.id === id ? { ...each, tags: { ...tags } } : each));
        await this.#save({ ...now, assigned });
      }),
    );
  }

  verifyHostKey(instance: Instance, key: Uint8Array, { signal }: CallOptions): Promise<boolean> {
    return orAborted('verifyHostKey', signal, () =>
      this.#inTurn(signal, async ({ assigned }) => {
        const assignment = assigned.find((each) => each.id === instance.id);
        return (
          assignment !== undefined && this.#keysOf(assignment).includes(Buffer.from(key).toString('base64'))
        );
      }),
    );
  }

  priceHistory(): readonly [] {
    return [];
  }

  quotaGroup(): string {
    return '';
  }

  async stop(): Promise<void> {
    await this.#turn;
  }

  async #free(id: string, signal: AbortSignal): Promise<void> {
    await this.#inTurn(signal, async (now) => {
      const assignment = now.assigned.find((each) => each.id === id);
      if (!assignment) return;
      await this.#save({
        ...now,
        assigned: now.assigned.filter((each) => each.id !== id),
        released: [...now.released, assignment.address],
      });
    });
  }

  /** Always rejects. A call that was given up is no failure of the host. */
  async #noteFailure(id: string, error: unknown, signal: AbortSignal): Promise<never> {
    if (!(error instanceof DriverError) || error.code === 'aborted' || signal.aborted) throw error;
    const { clock, parameters } = this.#options;
    await this.#inTurn(signal, async (now) => {
      const assigned = now.assigned.map((each) =>
        each.id === id ? afterFailure(each, error.message, clock.now(), parameters.releaseTries) : each,
      );
      await this.#save({ ...now, assigned });
    });
    throw error;
  }

  /** The host of this type that has rested longest. Throws when there is none. */
  #longestRested(type: string, { assigned, released }: Assignments): StaticHost {
    const used = new Set(assigned.map(({ address }) => address));
    const fitting = this.#hosts.filter((host) => host.type === type);
    const free = fitting.filter(({ address }) => !used.has(address));
    const [best] = free.toSorted((a, b) => released.indexOf(a.address) - released.indexOf(b.address));
    if (best) return best;
    if (fitting.length === 0) {
      const types = [...new Set(this.#hosts.map((host) => host.type))].join(', ');
      throw new DriverError('invalid', `no host of the inventory has type ${type}`, {
        remedy: `use one of ${types} as the providerType of the instance type, or add a host`,
      });
    }
    const isFull = this.#hosts.every(({ address }) => used.has(address));
    if (isFull) throw new DriverError('quota', `all ${this.#hosts.length} hosts are in use`);
    const text = `all ${fitting.length} hosts of type ${type} are in use`;
    throw new DriverError('capacity', text, { scope: 'type' });
  }

  /** A host that cannot be reached may run containers still, so it is not free; unless the operator took it away. */
  async #release(assignment: Assignment, signal: AbortSignal): Promise<void> {
    const { executors, parameters } = this.#options;
    const { releaseCommand: command } = parameters;
    if (command === '') return;
    const { address } = assignment;
    const login = {
      address,
      user: this.#instance(assignment).remoteUser,
      hostKeys: this.#keysOf(assignment),
    };
    const isReleased = await releaseHost(login, { executors, command }, signal);
    if (isReleased || !this.#hosts.some((host) => host.address === address)) return;
    throw new DriverError('unavailable', `host ${address} cannot be logged in to, so it stays in use`, {
      remedy: 'bring it back, or take it out of driverParameters.hosts',
    });
  }

  /** As the inventory says now, while the host is in it. */
  #keysOf({ address, hostKeys }: Assignment): readonly string[] {
    return this.#hosts.find((host) => host.address === address)?.hostKey ?? hostKeys;
  }

  #instance(assignment: Assignment): Instance {
    const { id, address, user, type, tags } = assignment;
    const quarantine = quarantineOf(assignment);
    const remoteUser = this.#hosts.find((host) => host.address === address)?.user ?? user;
    return {
      id,
      displayName: id,
      providerType: type,
      address,
      remoteUser,
      tags: { ...tags },
      priceHistory: [],
      ...(quarantine ? { quarantine } : {}),
    };
  }

  /** One call after the other, each with what the one before it left. */
  #inTurn<T>(signal: AbortSignal, call: (now: Assignments) => Promise<T>): Promise<T> {
    const result = this.#turn.then(async () => {
      signal.throwIfAborted();
      if (!this.#known) {
        const { text, version } = await this.#options.record.load();
        this.#known = { now: readAssignments(text), version };
      }
      return call(this.#known.now);
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  async #save(next: Assignments): Promise<void> {
    const { version } = this.#known!;
    // Whatever comes of it, what is known may be wrong until it is loaded again.
    this.#known = undefined;
    const isSaved = await this.#options.record.save({ text: writeAssignments(next), version });
    if (!isSaved)
      throw new DriverError('unavailable', 'another process assigned or released a host just now');
    this.#known = { now: next, version: version + 1 };
  }
}

function nameOf({ name, address }: StaticHost): string {
  return (name ?? address).replaceAll(/[^A-Za-z0-9.-]+/g, '-');
}
