import type { Clock } from '../../domain/clock.js';
import type { AttemptOrigin, Container, ContainerState } from '../../domain/container.js';
import type {
  ContainerFilter,
  ContainerPage,
  ContainerRecord,
  ContainerRequest,
  ContainerStore,
} from '../container-store.js';
import { QueueCache, type Misfit, type SizeContainer } from '../queue-cache.js';
import {
  QueueError,
  type Placement,
  type RevertedStart,
  type ResultVerdict,
  type UnlockOptions,
} from '../queue.js';
import { ContainerChanges, type WantedChange } from './container-changes.js';
import { containerRow, countByState, countFailed, readOutput, readPage } from './container-reads.js';
import { containerOf, recordOf, type ContainerRow } from './container-rows.js';
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
} from './container-transitions.js';
import { eventLoopTurn } from '../../async/event-loop-turn.js';
import { fetchContainers } from './fetch-containers.js';
import { guarded } from './store-error.js';
import { submitContainers } from './submit-containers.js';
import type { Epoch } from './write-rows.js';
import type { QueueSnapshot } from '../../domain/queue-entry.js';
import type { ContainerResult, ContainerWork } from '../../domain/container-work.js';
import type { Store } from './schema.js';

export interface SqlContainerStoreOptions {
  db: Store;
  clock: Clock;
  clusterId: string;
  /** At least 15 fresh random bytes. */
  randomBytes(): Uint8Array;
  size: SizeContainer;
  /** 0: no limit (CR-15). */
  maxDispatchAttempts: number;
  /** Names this daemon among the writers of the store. */
  writer: string;
  /** How long a change is tried again while the store does not take it. */
  patienceMs: number;
  /** A row that cannot be read or a container that cannot be sized or cancelled: it is passed over. */
  onFault(uuid: string, error: unknown): void;
}

/** So many containers are dealt with before others have their turn. */
const sliceSize = 200;
/** Of nobody who leads. */
const noEpoch = -1;

/**
 * Longshore's own containers in an SQL database. One daemon leads at a time, which alone moves containers through their
 * states; owners' wishes may come by way of others. Rejects with `QueueError` only.
 */
export class SqlContainerStore implements ContainerStore {
  readonly #options: SqlContainerStoreOptions;
  readonly #db: Store;
  readonly #cache: QueueCache;
  readonly #changes: ContainerChanges;
  /** The change under way for a container, the cache's part included: the next one begins after it. */
  readonly #changing = new Map<string, Promise<unknown>>();
  /** Up to here the cache has all, unless it must read everything anew. */
  #seenRevision = 0;
  #mustReadAll = true;
  #role: { leads: boolean; epoch: Epoch } = { leads: true, epoch: undefined };
  #cancelling: Promise<void> = Promise.resolve();

  constructor(options: SqlContainerStoreOptions) {
    const { db, clock, size, onFault, writer, patienceMs } = options;
    this.#options = options;
    this.#db = db;
    this.#changes = new ContainerChanges({ db, clock, writer, patienceMs });
    this.#cache = new QueueCache({
      fetch: (known) => {
        const seenRevision = this.#mustReadAll ? undefined : this.#seenRevision;
        this.#mustReadAll = false;
        const onApplied = (revision: number): void => void (this.#seenRevision = revision);
        return fetchContainers({ db, known, seenRevision, onApplied, onFault });
      },
      size,
      turn: eventLoopTurn,
      now: () => clock.now(),
      onMisfits: (misfits) => {
        this.#cancelling = this.#cancelling.then(() => this.#cancelMisfits(misfits));
      },
      onFault,
    });
  }

  /** From now on its changes hold only while the epoch lasts, and its cache begins anew. */
  lead(epoch: Epoch): void {
    this.#role = { leads: true, epoch };
    this.#mustReadAll = true;
  }

  /** It reads, and takes owners' wishes; the cache rests. */
  standBy(): void {
    this.#role = { leads: false, epoch: noEpoch };
  }

  async submit(requests: readonly ContainerRequest[]): Promise<ContainerRecord[]> {
    const { clock, clusterId, randomBytes, writer } = this.#options;
    const options = { clusterId, randomBytes, writer, now: clock.now() };
    const { uuids, fresh } = await this.#write(() => submitContainers(this.#db, requests, options));
    const misfits = this.#role.leads ? await this.#cache.absorb(await containersOf(fresh)) : [];
    await this.#cancelMisfits(misfits);
    const rows = new Map(fresh.map((row) => [row.uuid, row]));
    for (const { container } of misfits) rows.delete(container.uuid);
    return this.#read(async () => {
      const records: ContainerRecord[] = [];
      for (const uuid of uuids) {
        if (records.length % sliceSize === sliceSize - 1) await eventLoopTurn();
        records.push(readRecord(rows.get(uuid) ?? (await containerRow(this.#db, uuid))));
      }
      return records;
    });
  }

  async list(filter: ContainerFilter): Promise<ContainerPage> {
    const { rows, next } = await this.#read(() => readPage(this.#db, filter));
    return { items: rows.flatMap((row) => this.#readable(row)), next };
  }

  async find(uuid: string): Promise<ContainerRecord | undefined> {
    try {
      return this.#readable(await this.#read(() => containerRow(this.#db, uuid)))[0];
    } catch (error) {
      if (error instanceof QueueError && error.code === 'not-found') return undefined;
      throw error;
    }
  }

  counts(): Promise<Record<ContainerState, number>> {
    return this.#read(() => countByState(this.#db));
  }

  failed(): Promise<number> {
    return this.#read(() => countFailed(this.#db));
  }

  setPriority(uuid: string, priority: bigint): Promise<void> {
    return this.#inTurn(uuid, async () => {
      const decide = (row: ContainerRow): RowChange => prioritiseRow(row, priority);
      const row = await this.#changes.change({ uuid, decide, epoch: undefined });
      this.#cache.changed(uuid, { priority });
      // One that was forgotten for its priority of 0 comes back.
      if (this.#role.leads && !this.#cache.get(uuid))
        await this.#cancelMisfits(await this.#cache.absorb([readContainer(row)]));
    });
  }

  output(uuid: string): Promise<Pick<ContainerResult, 'stdout' | 'stderr'> | undefined> {
    return this.#read(() => readOutput(this.#db, uuid));
  }

  async update(): Promise<void> {
    try {
      await this.#read(() => this.#cache.update());
    } catch (error) {
      this.#mustReadAll = true;
      throw error;
    }
  }

  /** The leader moves all containers and its cache shows each move at once, so that all of it is as fresh as can be. */
  peek(): QueueSnapshot {
    return this.#cache.peek();
  }

  entries(): QueueSnapshot {
    const { entries, threshold } = this.#cache.snapshot();
    return { entries, threshold: threshold === 0 ? 0 : this.#options.clock.now() };
  }

  takeChanges(): ReadonlySet<string> | undefined {
    return this.#cache.takeChanges();
  }

  get(uuid: string): Container | undefined {
    return this.#cache.get(uuid)?.container;
  }

  async lock(uuid: string): Promise<void> {
    await this.#lead(uuid, lockRow);
  }

  async unlock(uuid: string, { isUncounted = false }: UnlockOptions = {}): Promise<void> {
    const { maxDispatchAttempts, clock } = this.#options;
    await this.#lead(uuid, (row) =>
      unlockRow(row, isUncounted ? undefined : maxDispatchAttempts, clock.now()),
    );
  }

  /** Also an owner's wish: it holds whoever leads. */
  async cancel(uuid: string, reason: string): Promise<void> {
    const decide = (row: ContainerRow): RowChange => cancelRow(row, reason, this.#options.clock.now());
    await this.#change({ uuid, decide, epoch: undefined });
  }

  async started(uuid: string, where: Placement, at: number): Promise<number> {
    return (await this.#lead(uuid, (row) => startRow(row, where, at))).attempts;
  }

  async lost(uuid: string, reason: string, origin?: AttemptOrigin): Promise<void> {
    await this.#lead(uuid, (row) => loseRow(row, reason, this.#options.clock.now(), origin));
  }

  async revertStart(uuid: string, start: RevertedStart): Promise<void> {
    await this.#lead(uuid, (row) => revertRow(row, start, this.#options.clock.now()));
  }

  async complete(uuid: string, result: ContainerResult, origin: AttemptOrigin): Promise<ResultVerdict> {
    let verdict: ResultVerdict = { kind: 'known' };
    const decide = (row: ContainerRow): RowChange => {
      const judged = completeRow(row, result, origin, this.#options.clock.now());
      verdict = judged.verdict;
      return judged.change;
    };
    await this.#change({ uuid, decide, output: result, epoch: this.#role.epoch });
    return verdict;
  }

  forget(uuid: string): void {
    this.#cache.forget(uuid);
  }

  work(uuid: string): Promise<ContainerWork | undefined> {
    return this.#read(async () => readRecord(await containerRow(this.#db, uuid)));
  }

  subscribe(listener: () => void): () => void {
    return this.#cache.subscribe(listener);
  }

  /** Resolves when nothing is under way any more, so that the database can be closed. */
  async stop(): Promise<void> {
    await this.#cache.stop();
    await this.#changes.stop();
    await this.#cancelling;
    await Promise.all(this.#changing.values());
  }

  /** A change that only the leader may make. */
  #lead(uuid: string, decide: (row: ContainerRow) => RowChange): Promise<ContainerRow> {
    return this.#change({ uuid, decide, epoch: this.#role.epoch });
  }

  #change(wanted: WantedChange): Promise<ContainerRow> {
    return this.#inTurn(wanted.uuid, async () => {
      const row = await this.#changes.change(wanted);
      this.#moved(row);
      return row;
    });
  }

  /** Changes of one container reach the cache in the order in which they reached the database. */
  async #inTurn<T>(uuid: string, change: () => Promise<T>): Promise<T> {
    const mine = (this.#changing.get(uuid) ?? Promise.resolve()).then(change);
    const ended = mine.catch(() => {});
    this.#changing.set(uuid, ended);
    try {
      return await mine;
    } finally {
      if (this.#changing.get(uuid) === ended) this.#changing.delete(uuid);
    }
  }

  #moved(row: ContainerRow): void {
    const state = row.state as ContainerState;
    // Only a pause before the next attempt ever changes it.
    const { scheduling } = row.scheduling.includes('notBeforeAt') ? readContainer(row) : {};
    const { instance_id: instanceId, attempts: attempt } = row;
    this.#cache.changed(row.uuid, { state, instanceId, attempt, ...(scheduling && { scheduling }) });
  }

  /** After a change of the configuration they may be all. */
  async #cancelMisfits(misfits: readonly Misfit[]): Promise<void> {
    for (let from = 0; from < misfits.length; from += sliceSize) {
      const part = misfits.slice(from, from + sliceSize);
      try {
        await Promise.all(part.map((misfit) => this.#cancelMisfit(misfit)));
      } catch (error) {
        // They are found again by an update that reads everything.
        this.#mustReadAll = true;
        for (const { container } of part) this.#options.onFault(container.uuid, error);
      }
      await eventLoopTurn();
    }
  }

  async #cancelMisfit({ container: { uuid }, reason }: Misfit): Promise<void> {
    const { epoch } = this.#role;
    const decide = (row: ContainerRow): RowChange =>
      row.state === 'Queued' || row.state === 'Locked'
        ? cancelRow(row, reason, this.#options.clock.now())
        : undefined;
    await this.#changes.change({ uuid, decide, epoch });
  }

  #readable(row: ContainerRow): ContainerRecord[] {
    try {
      return [recordOf(row)];
    } catch (error) {
      this.#options.onFault(row.uuid, error);
      return [];
    }
  }

  #read<T>(read: () => Promise<T>): Promise<T> {
    return guarded('the store cannot be read', read);
  }

  #write<T>(write: () => Promise<T>): Promise<T> {
    return guarded('the store did not take a change', write);
  }
}

async function containersOf(rows: readonly ContainerRow[]): Promise<Container[]> {
  const containers: Container[] = [];
  for (const row of rows) {
    if (containers.length % sliceSize === sliceSize - 1) await eventLoopTurn();
    containers.push(containerOf(row));
  }
  return containers;
}

function readRecord(row: ContainerRow): ContainerRecord {
  try {
    return recordOf(row);
  } catch (cause) {
    throw new QueueError('invalid', (cause as Error).message, { cause });
  }
}

function readContainer(row: ContainerRow): Container {
  try {
    return containerOf(row);
  } catch (cause) {
    throw new QueueError('invalid', (cause as Error).message, { cause });
  }
}
