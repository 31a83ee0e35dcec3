import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import type { Clock } from '../domain/clock.js';
import { StoreJournal } from '../journal/store-journal.js';
import { sizeContainer } from '../policy/choose-types.js';
import { openDatabase } from '../queue/store/database.js';
import { SqlContainerStore } from '../queue/store/sql-container-store.js';
import { lockStore } from '../queue/store/store-lock.js';

/** What outlives the daemon: the containers and the journal. */
export interface Storage {
  store: SqlContainerStore;
  journal: StoreJournal;
}

const journalFlushMs = 50;
const longestJournal = 1_000_000;

/** Opens the store of this daemon alone. What has to be released again is pushed on `releases` as soon as it is held. */
export async function openStorage(
  config: Config,
  { clock, log }: { clock: Clock; log: Logger },
  releases: (() => Promise<void> | void)[],
): Promise<Storage> {
  releases.push(lockStore(config.store));
  const db = await openDatabase(config.store);
  releases.push(() => db.destroy());
  const journal = new StoreJournal({
    db,
    clock,
    flushMs: journalFlushMs,
    maxEntries: longestJournal,
    onFault: (err, dropped) => log.error({ component: 'journal', err, dropped }, 'journal entries were lost'),
  });
  releases.push(() => journal.flush());
  const { scheduler } = config;
  const store = new SqlContainerStore({
    db,
    clock,
    clusterId: config.clusterId,
    randomBytes: () => randomBytes(15),
    size: (container) =>
      sizeContainer(container, config.instanceTypes.values(), {
        maximumPriceFactor: scheduler.maximumPriceFactor,
        reserveExtraRamBytes: scheduler.reserveExtraRamBytes,
        localKeepBlobBuffersPerVcpu: scheduler.localKeepBlobBuffersPerVcpu,
      }),
    maxDispatchAttempts: scheduler.maxDispatchAttempts,
    onFault: (uuid, err) =>
      log.error({ component: 'store', containerId: uuid, err }, 'container record cannot be read'),
  });
  releases.push(() => store.stop());
  return { store, journal };
}
