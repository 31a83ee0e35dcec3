import type { Instance, PricePoint, Tags } from '../../src/domain/instance.js';
import { DriverError, type CallOptions, type CreateSpec, type Driver } from '../../src/drivers/driver.js';

export type DriverMethod = 'create' | 'list' | 'destroy' | 'setTags' | 'verifyHostKey';

/** One call of the driver, as it came. */
export interface DriverRecord {
  method: DriverMethod;
  args: readonly unknown[];
}

/** An instance as a test wants it. */
export function instanceOf(change: Partial<Instance> = {}): Instance {
  return {
    id: 'i-1',
    displayName: 'i-1',
    providerType: 'provider.small',
    address: '10.0.0.1:22',
    remoteUser: 'root',
    tags: {},
    priceHistory: [],
    ...change,
  };
}

/**
 * A driver over a map. Each method can be told to fail, to wait, or to answer otherwise; calls end with `aborted` as
 * soon as their signal does.
 */
export class ScriptedDriver implements Driver {
  readonly name = 'scripted';
  readonly calls: DriverRecord[] = [];
  readonly instances = new Map<string, Instance>();
  /** What `verifyHostKey` says. */
  verdict: boolean | undefined | Error = undefined;
  inFlight = 0;
  mostInFlight = 0;
  isStopped = false;
  readonly #scripts = new Map<DriverMethod, () => Promise<void>>();
  #made = 0;

  /** The method fails with this from now on. */
  fail(method: DriverMethod, error: Error): void {
    this.#scripts.set(method, () => Promise.reject(error));
  }

  /** Calls of the method wait from now on, until the returned function is called. */
  hold(method: DriverMethod): () => void {
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    this.#scripts.set(method, () => released);
    return release;
  }

  /** The method does again what it should. */
  heal(method: DriverMethod): void {
    this.#scripts.delete(method);
  }

  called(method: DriverMethod): DriverRecord[] {
    return this.calls.filter((call) => call.method === method);
  }

  create(spec: CreateSpec, options: CallOptions): Promise<Instance> {
    return this.#perform('create', [spec], options, () => {
      const number = ++this.#made;
      const { tags, instanceType } = spec;
      const { providerType } = instanceType;
      const instance = instanceOf({ id: `i-${number}`, address: `10.0.0.${number}:22`, tags, providerType });
      this.instances.set(instance.id, instance);
      return { ...instance };
    });
  }

  list(tags: Tags, options: CallOptions): Promise<Instance[]> {
    return this.#perform('list', [tags], options, () =>
      [...this.instances.values()]
        .filter((instance) => Object.entries(tags).every(([key, value]) => instance.tags[key] === value))
        .map((instance) => ({ ...instance })),
    );
  }

  destroy(id: string, options: CallOptions): Promise<void> {
    return this.#perform('destroy', [id], options, () => void this.instances.delete(id));
  }

  setTags(id: string, tags: Tags, options: CallOptions): Promise<void> {
    return this.#perform('setTags', [id, tags], options, () => {
      const instance = this.instances.get(id);
      if (!instance) throw new DriverError('not-found', `there is no instance ${id}`);
      this.instances.set(id, { ...instance, tags: { ...tags } });
    });
  }

  verifyHostKey(instance: Instance, key: Uint8Array, options: CallOptions): Promise<boolean | undefined> {
    return this.#perform('verifyHostKey', [instance, key], options, () => {
      if (this.verdict instanceof Error) throw this.verdict;
      return this.verdict;
    });
  }

  priceHistory(): readonly PricePoint[] {
    return [];
  }

  quotaGroup(): string {
    return 'all';
  }

  stop(): Promise<void> {
    this.isStopped = true;
    return Promise.resolve();
  }

  #perform<T>(
    method: DriverMethod,
    args: readonly unknown[],
    { signal }: CallOptions,
    work: () => T,
  ): Promise<T> {
    this.calls.push({ method, args });
    this.inFlight++;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    return new Promise<T>((resolve, reject) => {
      const onAbort = (): void => reject(new DriverError('aborted', `${method} was given up`));
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      const script = this.#scripts.get(method) ?? (() => Promise.resolve());
      script().then(work).then(resolve, reject);
    }).finally(() => this.inFlight--);
  }
}
