import ssh2 from 'ssh2';
import type { Instance, PricePoint, Tags } from '../../domain/instance.js';
import type { InstanceType } from '../../domain/instance-type.js';
import { orAborted } from '../abortable.js';
import { DriverError, type CallOptions, type CreateSpec, type Driver } from '../driver.js';
import type { ProgramPool } from './program-pool.js';
import {
  checkResult,
  createParams,
  results,
  toInstance,
  type Hello,
  type ProgramInstance,
} from './protocol.js';

/** Instances made by a program of the operator, in any language: see `docs/drivers.md` for what it reads and writes. */
export class ExecDriver implements Driver {
  readonly name = 'exec';
  readonly #programs: ProgramPool;
  readonly #hello: Hello;
  readonly #hostKeys = new Map<string, readonly string[]>();
  /** Create calls under way, by idempotency token. */
  readonly #creating = new Map<string, Promise<Instance>>();

  constructor(programs: ProgramPool, hello: Hello) {
    this.#programs = programs;
    this.#hello = hello;
  }

  create(spec: CreateSpec, { signal }: CallOptions): Promise<Instance> {
    return orAborted('create', signal, async () => {
      const { idempotencyToken: token } = spec;
      // Programs cannot see each other's work: the same wish is told to one of them at a time.
      for (let other = this.#creating.get(token); token && other; other = this.#creating.get(token)) {
        await other.catch(() => {});
        signal.throwIfAborted();
      }
      const creating = this.#programs
        .request('create', createParams(spec), signal, spec.secrets)
        .then((result) => this.#known(checkResult(results.create, 'create', result)));
      this.#creating.set(token, creating);
      return creating.finally(() => this.#creating.delete(token));
    });
  }

  list(tags: Tags, { signal }: CallOptions): Promise<Instance[]> {
    return orAborted('list', signal, async () => {
      const result = await this.#programs.request('list', { tags }, signal);
      return checkResult(results.list, 'list', result).instances.map((each) => this.#known(each));
    });
  }

  destroy(id: string, { signal }: CallOptions): Promise<void> {
    return orAborted('destroy', signal, async () => {
      try {
        await this.#programs.request('destroy', { id }, signal);
      } catch (error) {
        if (!(error instanceof DriverError && error.code === 'not-found')) throw error;
      }
      this.#hostKeys.delete(id);
    });
  }

  setTags(id: string, tags: Tags, { signal }: CallOptions): Promise<void> {
    return orAborted('setTags', signal, async () => {
      await this.#programs.request('setTags', { id, tags }, signal);
    });
  }

  verifyHostKey({ id }: Instance, key: Uint8Array, { signal }: CallOptions): Promise<boolean | undefined> {
    return orAborted('verifyHostKey', signal, async () => {
      const known = this.#hostKeys.get(id);
      return known?.includes(Buffer.from(key).toString('base64'));
    });
  }

  priceHistory({ priceHistory }: Instance): readonly PricePoint[] {
    return priceHistory;
  }

  quotaGroup({ providerType, preemptible }: InstanceType): string {
    const group = this.#hello.quotaGroups?.[providerType] ?? '';
    return preemptible ? `${group}-preemptible` : group;
  }

  stop(): Promise<void> {
    return this.#programs.stop();
  }

  #known(given: ProgramInstance): Instance {
    if (given.hostKeys && given.hostKeys.length > 0) this.#hostKeys.set(given.id, given.hostKeys.map(rawKey));
    return toInstance(given);
  }
}

/** Base64 of the key as it is shown in the handshake; of a text that is no key, one that no host shows. */
function rawKey(text: string): string {
  const parsed = ssh2.utils.parseKey(text);
  return parsed instanceof Error ? '' : parsed.getPublicSSH().toString('base64');
}
