import type { Clock } from '../domain/clock.js';
import type { AttemptOrigin, Container, ContainerState } from '../domain/container.js';
import type { ContainerRequest } from '../queue/container-store.js';
import { QueueCache, type Misfit, type SizeContainer } from '../queue/queue-cache.js';
import {
  QueueError,
  type Placement,
  type Queue,
  type RevertedStart,
  type ResultVerdict,
  type UnlockOptions,
} from '../queue/queue.js';
import { containerOf, recordOf, type ContainerRow } from '../queue/store/container-rows.js';
import {
  cancelRow,
  completeRow,
  lockRow,
  loseRow,
  prioritiseRow,
  revertRow,
  startRow,
  unlockRow,
  type RowChange,
} from '../queue/store/container-transitions.js';
import type { Lifeline } from './simulated-process.js';
import type { MemoryRows } from './memory-rows.js';
import type { QueueSnapshot } from '../domain/queue-entry.js';
import type { ContainerResult, ContainerWork } from '../domain/container-work.js';

export interface MemoryQueueOptions {
  rows: MemoryRows;
  lifeline: Lifeline;
  clock: Clock;
  size: SizeContainer;
  maxDispatchAttempts: number;
  /** Whether the store refuses all calls at present. */
  isDown(): boolean;
  /** Whether another process took over the lead: writes of this one are refused. */
  isSuperseded(): boolean;
  /** In place of what decides about results: only to see whether the rules find a mistake. */
  completeRow?: typeof completeRow | undefined;
}

/** One daemon process's view of the containers: the real cache and the real transitions over rows in memory. */
export class MemoryQueue implements Queue {
  readonly #options: MemoryQueueOptions;
  readonly #cache: QueueCache;
  #seenRevision: number | undefined;

  constructor(options: MemoryQueueOptions) {
    const { rows, clock, size } = options;
    this.#options = options;
    this.#cache = new QueueCache({
      fetch: () => {
        const seen = this.#seenRevision;
        const upTo = rows.revision;
        const changed = seen === undefined ? openRows(rows) : rows.changedSince(seen);
        return {
          batches: only(changed.map(containerOf)),
          isComplete: seen === undefined,
          applied: () => (this.#seenRevision = upTo),
        };
      },
      size,
      turn: () => Promise.resolve(),
      now: () => clock.now(),
      onMisfits: (misfits) => this.#cancelMisfits(misfits),
      onFault: (_uuid, error) => {
        throw error as Error;
      },
    });
  }

  /** Resolves to the ids, in the order of the requests. */
  async submit(clusterId: string, requests: readonly [ContainerRequest, Uint8Array][]): Promise<string[]> {
    const { clock, rows } = this.#options;
    const fresh = await this.#call(() =>
      requests.map(([request, random]) => rows.add(clusterId, request, random, clock.now())),
    );
    this.#cancelMisfits(await this.#cache.absorb(fresh.map(containerOf)));
    return fresh.map(({ uuid }) => uuid);
  }

  async setPriority(uuid: string, priority: bigint): Promise<void> {
    const row = await this.#call(() =>
      this.#options.rows.revise(uuid, (before) => prioritiseRow(before, priority)),
    );
    this.#cache.changed(uuid, { priority });
    if (!this.#cache.get(uuid)) this.#cancelMisfits(await this.#cache.absorb([containerOf(row)]));
  }

  async update(): Promise<void> {
    await this.#call(() => undefined);
    await this.#cache.update();
  }

  peek(): QueueSnapshot {
    return this.#fresh(this.#cache.peek());
  }

  entries(): QueueSnapshot {
    return this.#fresh(this.#cache.snapshot());
  }

  takeChanges(): ReadonlySet<string> | undefined {
    return this.#cache.takeChanges();
  }

  get(uuid: string): Container | undefined {
    return this.#cache.get(uuid)?.container;
  }

  async lock(uuid: string): Promise<void> {
    await this.#change(uuid, lockRow);
  }

  async unlock(uuid: string, { isUncounted = false }: UnlockOptions = {}): Promise<void> {
    const { maxDispatchAttempts, clock } = this.#options;
    await this.#change(uuid, (row) =>
      unlockRow(row, isUncounted ? undefined : maxDispatchAttempts, clock.now()),
    );
  }

  async cancel(uuid: string, reason: string): Promise<void> {
    await this.#change(uuid, (row) => cancelRow(row, reason, this.#options.clock.now()));
  }

  async lost(uuid: string, reason: string, origin?: AttemptOrigin): Promise<void> {
    await this.#change(uuid, (row) => loseRow(row, reason, this.#options.clock.now(), origin));
  }

  async started(uuid: string, where: Placement, at: number): Promise<number> {
    return (await this.#change(uuid, (row) => startRow(row, where, at))).attempts;
  }

  async revertStart(uuid: string, start: RevertedStart): Promise<void> {
    await this.#change(uuid, (row) => revertRow(row, start, this.#options.clock.now()));
  }

  async complete(uuid: string, result: ContainerResult, origin: AttemptOrigin): Promise<ResultVerdict> {
    let verdict: ResultVerdict = { kind: 'known' };
    await this.#change(uuid, (row) => {
      const judge = this.#options.completeRow ?? completeRow;
      const judged = judge(row, result, origin, this.#options.clock.now());
      verdict = judged.verdict;
      return judged.change;
    });
    return verdict;
  }

  forget(uuid: string): void {
    this.#cache.forget(uuid);
  }

  work(uuid: string): Promise<ContainerWork | undefined> {
    return this.#call(() => recordOf(this.#options.rows.get(uuid)));
  }

  subscribe(listener: () => void): () => void {
    return this.#cache.subscribe(listener);
  }

  stop(): Promise<void> {
    return this.#cache.stop();
  }

  #fresh({ entries, threshold }: QueueSnapshot): QueueSnapshot {
    return { entries, threshold: threshold === 0 ? 0 : this.#options.clock.now() };
  }

  async #change(uuid: string, decide: (row: ContainerRow) => RowChange): Promise<ContainerRow> {
    const row = await this.#call(() => {
      if (this.#options.isSuperseded()) throw new QueueError('superseded', 'another daemon leads');
      return this.#options.rows.revise(uuid, decide);
    });
    const { instance_id: instanceId, attempts: attempt } = row;
    this.#cache.changed(uuid, { state: row.state as ContainerState, instanceId, attempt });
    return row;
  }

  #call<T>(effect: () => T): Promise<T> {
    return this.#options.lifeline.call(async () => {
      if (this.#options.isDown()) throw new QueueError('unavailable', 'the store does not answer');
      return effect();
    });
  }

  #cancelMisfits(misfits: readonly Misfit[]): void {
    for (const { container, reason } of misfits) {
      this.#change(container.uuid, (row) =>
        row.state === 'Queued' || row.state === 'Locked'
          ? cancelRow(row, reason, this.#options.clock.now())
          : undefined,
      ).catch(() => (this.#seenRevision = undefined));
    }
  }
}

function openRows(rows: MemoryRows): ContainerRow[] {
  return [...rows.values()].filter(({ state }) => state !== 'Complete' && state !== 'Cancelled');
}

async function* only<T>(batch: T): AsyncGenerator<T> {
  yield batch;
}
