import type { Clock } from '../../domain/clock.js';
import type { Sighting, Sightings } from '../../domain/sighting.js';
import { guarded } from './store-error.js';
import type { Store } from './schema.js';

export interface StoredSightingsOptions {
  db: Store;
  clock: Clock;
  /** The store did not take a change. */
  onFault(error: unknown): void;
}

/** Of an instance that went while no daemon ran; one that is there is written anew at each start. */
const keptMs = 30 * 86_400_000;
const mostRows = 200_000;
const pageSize = 200;

/** Sightings in the store, written some at a time and in the order in which they came. */
export class StoredSightings implements Sightings {
  readonly #options: StoredSightingsOptions;
  /** The last change of each instance that is not written yet; `undefined`: it is gone. */
  readonly #waiting = new Map<string, Sighting | undefined>();
  #writing: Promise<void> | undefined;

  constructor(options: StoredSightingsOptions) {
    this.#options = options;
  }

  /** Deletes what nobody looked after for a month, once it is read. */
  async load(): Promise<ReadonlyMap<string, Sighting>> {
    const { db, clock } = this.#options;
    const rows = await guarded('the sightings of instances cannot be read', () =>
      db.selectFrom('sightings').selectAll().orderBy('seen_at', 'desc').limit(mostRows).execute(),
    );
    await guarded('old sightings of instances cannot be deleted', () =>
      db
        .deleteFrom('sightings')
        .where('seen_at', '<', clock.now() - keptMs)
        .execute(),
    );
    return new Map(
      rows.map((row) => [
        row.instance_id,
        {
          instanceId: row.instance_id,
          firstSeenAt: Number(row.first_seen_at),
          instanceTypeName: row.instance_type,
          pricePerHour: Number(row.price_per_hour),
        },
      ]),
    );
  }

  seen(sighting: Sighting): void {
    this.#change(sighting.instanceId, sighting);
  }

  gone(instanceId: string): void {
    this.#change(instanceId, undefined);
  }

  /** Resolves when all is written. */
  async stop(): Promise<void> {
    await this.#writing;
  }

  #change(instanceId: string, sighting: Sighting | undefined): void {
    this.#waiting.delete(instanceId);
    this.#waiting.set(instanceId, sighting);
    this.#writing ??= this.#writeAll()
      .catch(this.#options.onFault)
      .finally(() => (this.#writing = undefined));
  }

  async #writeAll(): Promise<void> {
    // What comes at the same time goes together.
    await Promise.resolve();
    while (this.#waiting.size > 0) {
      const page = [...this.#waiting].slice(0, pageSize);
      for (const [id] of page) this.#waiting.delete(id);
      await guarded('the sightings of instances were not taken', () => this.#write(page));
    }
  }

  async #write(page: readonly [string, Sighting | undefined][]): Promise<void> {
    const { db, clock } = this.#options;
    const ids = page.map(([id]) => id);
    const seenAt = clock.now();
    const rows = page.flatMap(([, sighting]) => (sighting ? [rowOf(sighting, seenAt)] : []));
    await db.transaction().execute(async (change) => {
      await change.deleteFrom('sightings').where('instance_id', 'in', ids).execute();
      if (rows.length > 0) await change.insertInto('sightings').values(rows).execute();
    });
  }
}

function rowOf({ instanceId, firstSeenAt, instanceTypeName, pricePerHour }: Sighting, seenAt: number) {
  return {
    instance_id: instanceId,
    first_seen_at: firstSeenAt,
    seen_at: seenAt,
    instance_type: instanceTypeName,
    price_per_hour: pricePerHour,
  };
}
