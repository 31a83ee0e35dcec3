import { Dispatch } from '../../src/fleet/dispatcher.js';
import { StartFailures } from '../../src/fleet/start-failures.js';
import type { Container, ContainerState } from '../../src/domain/container.js';
import type { Queue, RefusedClaim, ResultVerdict, UnlockOptions } from '../../src/queue/queue.js';
import { sizeContainer } from '../../src/policy/choose-types.js';
import { settle } from '../../src/simulation/heap-clock.js';
import { PoolWorld, type PoolWorldOptions } from './pool-world.js';
import { bare } from './scheduling-world.js';
import type { QueueEntry, QueueSnapshot } from '../../src/domain/queue-entry.js';

/** A dispatcher on a pretended cloud, with a queue whose answers the test holds back as it likes. */
export class DispatchWorld extends PoolWorld implements Queue {
  readonly containers = new Map<string, QueueEntry>();
  readonly calls: string[] = [];
  /** What ended each pass early; `undefined`: nothing. */
  readonly passes: unknown[] = [];
  /** Locks given up that count as no attempt. */
  readonly uncounted: string[] = [];
  readonly claims: RefusedClaim[] = [];
  threshold = 1;
  readonly failures = new StartFailures(this.clock);
  /** What every change of the queue waits for. */
  gate: Promise<void> = Promise.resolve();
  readonly #types: PoolWorldOptions['types'];
  #dispatch: Dispatch | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(options: PoolWorldOptions) {
    super(options);
    this.#types = options.types;
  }

  queue(...containers: Container[]): this {
    for (const each of containers) {
      const sizing = sizeContainer(each, this.#types, bare);
      if ('unsatisfiable' in sizing) throw new Error(sizing.unsatisfiable);
      this.containers.set(each.uuid, { container: each, ...sizing, firstSeenAt: each.createdAt });
    }
    return this;
  }

  dispatch(staleLockTimeoutMs = 60_000): Dispatch {
    this.#dispatch = new Dispatch({
      clock: this.clock,
      queue: this,
      pool: this.pool,
      settings: {
        maximumPriceFactor: 1,
        onDemandFallback: false,
        reserveExtraRamBytes: 0,
        localKeepBlobBuffersPerVcpu: 0,
        staleLockTimeoutMs,
        maxDispatchAttempts: 0,
        pollIntervalMs: 10_000,
        initialQuotaEstimate: 0,
        supervisorFraction: 0,
        maxRunningContainersPerInstance: 0,
      },
      maxInstances: 10,
      upkeep: {
        warm: [],
        timeoutIdleMs: 60_000,
        coolDownMs: 0,
        maxInstanceAgeMs: 0,
        maxContainersPerInstance: 0,
        quarantineGraceMs: 900_000,
      },
      typeNamed: () => undefined,
      last503At: () => 0,
      failures: this.failures,
      observer: {
        decided: () => {},
        failed: () => {},
        fetchFailed: () => {},
        passed: (failure) => void this.passes.push(failure?.error),
        claimRefused: (claim) => this.claims.push(claim),
      },
    });
    this.#dispatch.start();
    return this.#dispatch;
  }

  /** Lets this much time pass, and what is to happen in it. */
  async pass(ms = 100): Promise<void> {
    await this.clock.advance(ms);
    await settle();
  }

  stop(): Promise<void> {
    this.#dispatch?.stop();
    this.pool.stop();
    return Promise.resolve();
  }

  stateOf(uuid: string): ContainerState | undefined {
    return this.containers.get(uuid)?.container.state;
  }

  /** When each update of the queue began, and how long it takes. */
  readonly updates: number[] = [];
  updateMs = 0;

  update(): Promise<void> {
    this.updates.push(this.clock.now());
    if (this.updateMs === 0) return Promise.resolve();
    return new Promise((resolve) => void this.clock.setTimeout(resolve, this.updateMs));
  }

  entries(): QueueSnapshot {
    return { entries: new Map(this.containers), threshold: this.threshold };
  }

  get(uuid: string): Container | undefined {
    return this.containers.get(uuid)?.container;
  }

  lock(uuid: string): Promise<void> {
    return this.#change('lock', uuid, 'Locked');
  }

  unlock(uuid: string, { isUncounted = false }: UnlockOptions = {}): Promise<void> {
    if (isUncounted) this.uncounted.push(uuid);
    return this.#change('unlock', uuid, 'Queued');
  }

  cancel(uuid: string): Promise<void> {
    return this.#change('cancel', uuid, 'Cancelled');
  }

  lost(uuid: string): Promise<void> {
    return this.#change('lost', uuid, 'Cancelled');
  }

  forget(uuid: string): void {
    this.calls.push(`forget ${uuid}`);
    this.containers.delete(uuid);
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  work(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  started(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  revertStart(): Promise<void> {
    return Promise.resolve();
  }

  complete(): Promise<ResultVerdict> {
    return Promise.resolve({ kind: 'known' });
  }

  /** Somebody else changed it. */
  become(uuid: string, change: Partial<Container>): void {
    const entry = this.containers.get(uuid)!;
    this.containers.set(uuid, { ...entry, container: { ...entry.container, ...change } });
    for (const listener of this.#listeners) listener();
  }

  async #change(call: string, uuid: string, state: ContainerState): Promise<void> {
    this.calls.push(`${call} ${uuid}`);
    await this.gate;
    this.become(uuid, { state });
  }
}
