import { isFinal, type ContainerState } from '../domain/container.js';
import { containerUuidFrom } from '../domain/ids.js';
import type { ContainerRequest } from '../queue/container-store.js';
import { QueueError } from '../queue/queue.js';
import { containerOf, rowOf, type ContainerRow } from '../queue/store/container-rows.js';
import type { RowChange } from '../queue/store/container-transitions.js';

/** Told of each change of a row, with the row before it; `undefined`: it is new. */
export type RowObserver = (row: ContainerRow, before: ContainerRow | undefined) => void;

/** The containers as a database would keep them: they outlive every daemon process. */
export class MemoryRows {
  readonly #rows = new Map<string, ContainerRow>();
  readonly #open = new Map<string, ContainerRow>();
  /** Which row each revision changed. */
  readonly #revisions: string[] = [];
  readonly #observe: RowObserver;

  constructor(observe: RowObserver) {
    this.#observe = observe;
  }

  get revision(): number {
    return this.#revisions.length;
  }

  add(clusterId: string, request: ContainerRequest, random: Uint8Array, now: number): ContainerRow {
    const uuid = containerUuidFrom(clusterId, random);
    const row = rowOf(uuid, request, now, this.#revisions.push(uuid));
    this.#rows.set(uuid, row);
    this.#open.set(uuid, row);
    this.#observe(row, undefined);
    return row;
  }

  /** Throws {@link QueueError} `not-found`. */
  get(uuid: string): ContainerRow {
    const row = this.#rows.get(uuid);
    if (!row) throw new QueueError('not-found', `container ${uuid} is not known`);
    return row;
  }

  values(): IterableIterator<ContainerRow> {
    return this.#rows.values();
  }

  /** Those that have not ended, in no order. */
  open(): IterableIterator<ContainerRow> {
    return this.#open.values();
  }

  /** Those of them that wait to be run. */
  *waiting(): Generator<{ uuid: string; state: string; priority: bigint }> {
    for (const row of this.#open.values()) {
      if (row.state === 'Running') continue;
      yield { uuid: row.uuid, state: row.state, priority: containerOf(row).priority };
    }
  }

  /** What became of it; passes on what `decide` throws. */
  revise(uuid: string, decide: (row: ContainerRow) => RowChange): ContainerRow {
    const before = this.get(uuid);
    const change = decide(before);
    if (change === undefined) return before;
    const row = { ...before, ...change, revision: this.#revisions.push(uuid) };
    this.#rows.set(uuid, row);
    if (isFinal(row.state as ContainerState)) this.#open.delete(uuid);
    else this.#open.set(uuid, row);
    this.#observe(row, before);
    return row;
  }

  /** The rows changed after a revision, each once. */
  changedSince(revision: number): ContainerRow[] {
    return [...new Set(this.#revisions.slice(revision))].map((uuid) => this.get(uuid));
  }
}
