import { randomBytes, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import type { Clock } from '../domain/clock.js';
import { StoreJournal } from '../journal/store-journal.js';
import { sizeContainer } from '../policy/choose-types.js';
import { QueueError } from '../queue/queue.js';
import { openDatabase } from '../queue/store/database.js';
import { SqlContainerStore } from '../queue/store/sql-container-store.js';
import { lockStore } from '../queue/store/store-lock.js';
import { isPostgresUrl } from '../queue/store/store-url.js';
import { storeTarget } from './store-admin.js';

/** What outlives the daemon: the containers and the journal. */
export interface Storage {
  store: SqlContainerStore;
  journal: StoreJournal;
}

const journalFlushMs = 50;
const storePatienceMs = 5_000;

/** Opens the store of this daemon alone. What has to be released again is pushed on `releases` as soon as it is held. */
export async function openStorage(
  config: Config,
  { clock, log }: { clock: Clock; log: Logger },
  releases: (() => Promise<void> | void)[],
): Promise<Storage> {
  const target = storeTarget(config);
  if (isPostgresUrl(target.url)) {
    const text = 'the daemon does not run on PostgreSQL yet: nothing would keep two of them apart';
    throw new QueueError('invalid', text);
  }
  releases.push(lockStore(target.url));
  const db = await openDatabase(target);
  releases.push(() => db.destroy());
  const journal = new StoreJournal({
    db,
    clock,
    flushMs: journalFlushMs,
    ...config.journal,
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
        onDemandFallback: scheduler.onDemandFallback,
        reserveExtraRamBytes: scheduler.reserveExtraRamBytes,
        localKeepBlobBuffersPerVcpu: scheduler.localKeepBlobBuffersPerVcpu,
      }),
    maxDispatchAttempts: scheduler.maxDispatchAttempts,
    writer: randomUUID(),
    patienceMs: storePatienceMs,
    onFault: (uuid, err) =>
      log.error({ component: 'store', containerId: uuid, err }, 'container record cannot be read'),
  });
  releases.push(() => store.stop());
  return { store, journal };
}
