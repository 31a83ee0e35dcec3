import { sql } from 'kysely';
import type { Clock } from '../../domain/clock.js';
import { containerStates, type Container, type ContainerState } from '../../domain/container.js';
import { containerUuidFrom } from '../../domain/ids.js';
import type {
  ContainerFilter,
  ContainerPage,
  ContainerRecord,
  ContainerRequest,
  ContainerStore,
} from '../container-store.js';
import { QueueCache, type SizeContainer } from '../queue-cache.js';
import {
  QueueError,
  type ContainerResult,
  type ContainerWork,
  type Placement,
  type QueueSnapshot,
} from '../queue.js';
import { containerOf, encodePriority, recordOf, rowOf, type ContainerRow } from './container-rows.js';
import type { Store } from './database.js';

export interface SqlContainerStoreOptions {
  db: Store;
  clock: Clock;
  clusterId: string;
  /** At least 15 fresh random bytes. */
  randomBytes(): Uint8Array;
  size: SizeContainer;
  /** 0: no limit (CR-15). */
  maxDispatchAttempts: number;
  /** A row that cannot be read: it is passed over. */
  onFault(uuid: string, error: unknown): void;
}

const pageSize = 1_000;
const insertSize = 500;
const hourMs = 3_600_000;

/** Longshore's own containers in an SQL database. One process writes at a time, so its cache is always current. */
export class SqlContainerStore implements ContainerStore {
  readonly #options: SqlContainerStoreOptions;
  readonly #db: Store;
  readonly #cache: QueueCache;
  readonly #listeners = new Set<() => void>();
  #revision = 0;
  #isNotifying = false;

  constructor(options: SqlContainerStoreOptions) {
    this.#options = options;
    this.#db = options.db;
    this.#cache = new QueueCache(options.size, () => options.clock.now());
  }

  async submit(requests: readonly ContainerRequest[]): Promise<ContainerRecord[]> {
    const { clock, clusterId, randomBytes } = this.#options;
    const byKey = await this.#withKeys(requests);
    const now = clock.now();
    const fresh: ContainerRow[] = [];
    const uuids = requests.map((request) => {
      const { idempotencyKey } = request;
      const earlier = idempotencyKey === '' ? undefined : byKey.get(idempotencyKey);
      if (earlier !== undefined) return earlier;
      const row = rowOf(containerUuidFrom(clusterId, randomBytes()), request, now, ++this.#revision);
      fresh.push(row);
      byKey.set(idempotencyKey, row.uuid);
      return row.uuid;
    });
    await this.#write(() =>
      this.#db.transaction().execute(async (transaction) => {
        for (let from = 0; from < fresh.length; from += insertSize) {
          await transaction
            .insertInto('containers')
            .values(fresh.slice(from, from + insertSize))
            .execute();
        }
      }),
    );
    const cancelled = await this.#take(fresh);
    const unchanged = new Map(fresh.filter(({ uuid }) => !cancelled.has(uuid)).map((row) => [row.uuid, row]));
    return Promise.all(uuids.map(async (uuid) => recordOf(unchanged.get(uuid) ?? (await this.#row(uuid)))));
  }

  async list(filter: ContainerFilter): Promise<ContainerPage> {
    let query = this.#db.selectFrom('containers').selectAll().orderBy('created_at', 'desc').orderBy('uuid');
    if (filter.states && filter.states.length > 0) query = query.where('state', 'in', filter.states);
    if (filter.name !== undefined) query = query.where('name', '=', filter.name);
    if (filter.instanceId !== undefined) query = query.where('instance_id', '=', filter.instanceId);
    if (filter.after !== undefined) {
      const { createdAt, uuid } = decodeCursor(filter.after);
      query = query.where((where) =>
        where.or([
          where('created_at', '<', createdAt),
          where.and([where('created_at', '=', createdAt), where('uuid', '>', uuid)]),
        ]),
      );
    }
    const rows = await query.limit(filter.limit + 1).execute();
    const items = rows.slice(0, filter.limit);
    const last = items.at(-1);
    const next = rows.length > filter.limit && last ? `${last.created_at}:${last.uuid}` : undefined;
    return { items: items.flatMap((row) => this.#readable(row)), next };
  }

  async find(uuid: string): Promise<ContainerRecord | undefined> {
    const row = await this.#db
      .selectFrom('containers')
      .selectAll()
      .where('uuid', '=', uuid)
      .executeTakeFirst();
    return row && this.#readable(row)[0];
  }

  async counts(): Promise<Record<ContainerState, number>> {
    const rows = await this.#db
      .selectFrom('containers')
      .select(['state', (eb) => eb.fn.countAll<number>().as('count')])
      .groupBy('state')
      .execute();
    const counts = Object.fromEntries(containerStates.map((state) => [state, 0])) as Record<
      ContainerState,
      number
    >;
    for (const { state, count } of rows) counts[state as ContainerState] = Number(count);
    return counts;
  }

  async setPriority(uuid: string, priority: bigint): Promise<void> {
    await this.#change(
      uuid,
      ['Queued', 'Locked', 'Running'],
      { priority: encodePriority(priority) },
      'change the priority of',
    );
    if (!this.#cache.get(uuid)) await this.#take([await this.#row(uuid)]);
    this.#cache.setPriority(uuid, priority);
    this.#notify();
  }

  async output(uuid: string): Promise<Pick<ContainerResult, 'stdout' | 'stderr'> | undefined> {
    return this.#db
      .selectFrom('outputs')
      .select(['stdout', 'stderr'])
      .where('uuid', '=', uuid)
      .executeTakeFirst();
  }

  async update(): Promise<void> {
    const startedAt = this.#options.clock.now();
    if (this.#revision === 0) await this.#load();
    this.#cache.advance(startedAt);
    this.#notify();
  }

  entries(): QueueSnapshot {
    // This process makes all changes, so what it knows is as fresh as can be.
    return { ...this.#cache.snapshot(), threshold: this.#revision === 0 ? 0 : this.#options.clock.now() };
  }

  get(uuid: string): Container | undefined {
    return this.#cache.get(uuid)?.container;
  }

  async lock(uuid: string): Promise<void> {
    await this.#change(uuid, ['Queued'], { state: 'Locked', lock_count: sql`lock_count + 1` }, 'lock');
    this.#moved(uuid, 'Locked');
  }

  async unlock(uuid: string): Promise<void> {
    const { maxDispatchAttempts } = this.#options;
    const row = await this.#row(uuid);
    const isSpent = maxDispatchAttempts > 0 && row.lock_count >= maxDispatchAttempts;
    if (row.state !== 'Locked' || !isSpent) {
      await this.#change(uuid, ['Locked'], { state: 'Queued', instance_id: '' }, 'unlock');
      this.#moved(uuid, 'Queued');
      return;
    }
    await this.#cancelFrom(
      ['Locked'],
      uuid,
      `it failed to start: it was given to an instance ${row.lock_count} times`,
    );
  }

  async cancel(uuid: string, reason: string): Promise<void> {
    await this.#cancelFrom(['Queued', 'Locked', 'Running'], uuid, reason);
  }

  async started(uuid: string, where: Placement, at: number): Promise<void> {
    await this.#change(
      uuid,
      ['Locked'],
      {
        state: 'Running',
        instance_id: where.instanceId,
        instance_type: where.instanceTypeName,
        price_per_hour: where.pricePerHour,
        started_at: at,
        attempts: sql`attempts + 1`,
      },
      'start',
    );
    this.#moved(uuid, 'Running');
  }

  async complete(uuid: string, result: ContainerResult): Promise<void> {
    const row = await this.#row(uuid);
    const isOpen = row.state === 'Locked' || row.state === 'Running';
    // Of a container that was given up meanwhile, only one that was cancelled while it ran still gets its result.
    if (!isOpen && (row.state !== 'Cancelled' || row.exit_code !== null)) return;
    const hours = Math.max(0, result.finishedAt - result.startedAt) / hourMs;
    const { stdout, stderr } = result;
    await this.#write(() =>
      this.#db.transaction().execute(async (transaction) => {
        await transaction
          .insertInto('outputs')
          .values({ uuid, stdout, stderr })
          .onConflict((conflict) => conflict.column('uuid').doUpdateSet({ stdout, stderr }))
          .execute();
        await transaction
          .updateTable('containers')
          .set({
            revision: ++this.#revision,
            exit_code: result.exitCode,
            started_at: result.startedAt || row.started_at,
            finished_at: result.finishedAt,
            cost: hours * row.price_per_hour,
            ...(isOpen ? { state: 'Complete', error: result.note } : {}),
          })
          .where('uuid', '=', uuid)
          .execute();
      }),
    );
    if (isOpen) this.#moved(uuid, 'Complete');
  }

  async lost(uuid: string, reason: string): Promise<void> {
    const row = await this.#row(uuid);
    if (row.state !== 'Running') return;
    if (row.attempts >= row.max_attempts) {
      const text = `${reason}; attempt ${row.attempts} of ${row.max_attempts}`;
      await this.#cancelFrom(['Running'], uuid, text);
      return;
    }
    const change = {
      state: 'Queued',
      instance_id: '',
      started_at: null,
      error: `attempt ${row.attempts} was lost: ${reason}`,
    };
    await this.#change(uuid, ['Running'], change, 'requeue');
    this.#moved(uuid, 'Queued');
  }

  forget(uuid: string): void {
    this.#cache.forget(uuid);
  }

  async work(uuid: string): Promise<ContainerWork | undefined> {
    return recordOf(await this.#row(uuid));
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop(): Promise<void> {
    this.#listeners.clear();
    return Promise.resolve();
  }

  async #load(): Promise<void> {
    const { last } = await this.#db
      .selectFrom('containers')
      .select((eb) => eb.fn.max('revision').as('last'))
      .executeTakeFirstOrThrow();
    this.#revision = Math.max(1, Number(last ?? 0));
    for (let after = ''; ;) {
      const rows = await this.#db
        .selectFrom('containers')
        .selectAll()
        .where('state', 'in', ['Queued', 'Locked', 'Running'])
        .where('uuid', '>', after)
        .orderBy('uuid')
        .limit(pageSize)
        .execute();
      await this.#take(rows);
      if (rows.length < pageSize) return;
      after = rows.at(-1)!.uuid;
      // The database works on this thread; others get their turn between two pages.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Takes rows over into the cache; those that can never run are cancelled with the reason, and returned. */
  async #take(rows: readonly ContainerRow[]): Promise<Set<string>> {
    const cancelled = new Set<string>();
    for (const row of rows) {
      try {
        const misfit = this.#cache.put(containerOf(row));
        if (misfit === undefined) continue;
        await this.#cancelFrom(['Queued', 'Locked'], row.uuid, misfit);
        cancelled.add(row.uuid);
      } catch (error) {
        this.#options.onFault(row.uuid, error);
      }
    }
    this.#notify();
    return cancelled;
  }

  async #cancelFrom(states: ContainerState[], uuid: string, error: string): Promise<void> {
    await this.#change(
      uuid,
      states,
      { state: 'Cancelled', error, finished_at: this.#options.clock.now() },
      'cancel',
    );
    this.#moved(uuid, 'Cancelled');
  }

  /** One write, durable when it resolves; only from these states (CR-11). */
  async #change(
    uuid: string,
    from: readonly ContainerState[],
    values: Record<string, unknown>,
    verb: string,
  ): Promise<void> {
    const { numUpdatedRows } = await this.#write(() =>
      this.#db
        .updateTable('containers')
        .set({ ...values, revision: ++this.#revision })
        .where('uuid', '=', uuid)
        .where('state', 'in', from)
        .executeTakeFirst(),
    );
    if (numUpdatedRows > 0n) return;
    const { state } = await this.#row(uuid);
    throw new QueueError('conflict', `container ${uuid}: cannot ${verb} when ${state}`);
  }

  async #row(uuid: string): Promise<ContainerRow> {
    const row = await this.#db
      .selectFrom('containers')
      .selectAll()
      .where('uuid', '=', uuid)
      .executeTakeFirst();
    if (!row) throw new QueueError('not-found', `container ${uuid} is not known`);
    return row;
  }

  /** The containers that were asked for with these keys before, by key. */
  async #withKeys(requests: readonly ContainerRequest[]): Promise<Map<string, string>> {
    const keys = requests.map(({ idempotencyKey }) => idempotencyKey).filter((key) => key !== '');
    const found = new Map<string, string>();
    for (let from = 0; from < keys.length; from += insertSize) {
      const rows = await this.#db
        .selectFrom('containers')
        .select(['uuid', 'idempotency_key'])
        .where('idempotency_key', 'in', keys.slice(from, from + insertSize))
        .execute();
      for (const row of rows) found.set(row.idempotency_key!, row.uuid);
    }
    return found;
  }

  #readable(row: ContainerRow): ContainerRecord[] {
    try {
      return [recordOf(row)];
    } catch (error) {
      this.#options.onFault(row.uuid, error);
      return [];
    }
  }

  async #write<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new QueueError('unavailable', `the store did not take a change: ${text}`, { cause });
    }
  }

  #moved(uuid: string, state: ContainerState): void {
    this.#cache.setState(uuid, state);
    this.#notify();
  }

  #notify(): void {
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    queueMicrotask(() => {
      this.#isNotifying = false;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}

function decodeCursor(cursor: string): { createdAt: number; uuid: string } {
  const match = /^(\d+):([a-z0-9-]+)$/.exec(cursor);
  if (!match) throw new QueueError('invalid', `after: "${cursor}" is not the "next" of an earlier page`);
  return { createdAt: Number(match[1]), uuid: match[2]! };
}
