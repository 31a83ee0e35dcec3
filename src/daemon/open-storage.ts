import { randomBytes, randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import type { Clock } from '../domain/clock.js';
import type { PageSessionStore } from '../domain/page-session.js';
import { StoreJournal } from '../journal/store-journal.js';
import { connectStore, openDatabase } from '../queue/store/database.js';
import { FileKeeper } from '../queue/store/file-keeper.js';
import { OutputKeeper } from '../queue/store/output-retention.js';
import { SqlPageSessions } from '../queue/store/page-sessions.js';
import { SqlContainerStore } from '../queue/store/sql-container-store.js';
import { StoreHealth } from '../queue/store/store-health.js';
import { StoredConduct } from '../queue/store/stored-conduct.js';
import { StoredHostKeys } from '../queue/store/stored-host-keys.js';
import { StoredSightings } from '../queue/store/stored-sightings.js';
import { lockStore } from '../queue/store/store-lock.js';
import { isPostgresUrl, storePath } from '../queue/store/store-url.js';
import { sizeBy } from './size-by.js';
import { storeTarget } from './store-admin.js';
import type { Store } from '../queue/store/schema.js';

/** Persistent parts of the daemon: the containers and the journal. */
export interface Storage {
  store: SqlContainerStore;
  journal: StoreJournal;
}

export interface OpenStorage extends Storage {
  db: Store;
  sessions: PageSessionStore;
  sightings: StoredSightings;
  hostKeys: StoredHostKeys;
  conduct: StoredConduct;
  /** True: other daemons may use it too. */
  isShared: boolean;
  /** Identifies this daemon among the writers of the store. */
  writer: string;
  health: StoreHealth;
}

const journalFlushMs = 50;
const storePatienceMs = 5_000;

/** Opens the store of this daemon. Pushes whatever must be released on `releases` as soon as it is acquired. */
export async function openStorage(
  config: Config,
  { clock, log }: { clock: Clock; log: Logger },
  releases: (() => Promise<void> | void)[],
): Promise<OpenStorage> {
  const target = storeTarget(config);
  const isShared = isPostgresUrl(target.url);
  if (!isShared) releases.push(lockStore(target.url));
  const health = storeHealthOf(isShared, { clock, log });
  const events = {
    onError: (error: unknown) => health.failed(error),
    onDamage: ({ message }: Error) => health.damaged(message),
  };
  // A server may not be reachable yet.
  const db = await (isShared ? connectStore(target, events) : openDatabase(target, events));
  releases.push(() => db.destroy());
  if (!isShared) keepFiles(db, storePath(target.url), { clock, log, health, releases });
  const journal = new StoreJournal({
    db,
    clock,
    flushMs: journalFlushMs,
    ...config.journal,
    onFault: (err, dropped) =>
      log.error(
        { component: 'journal', err, dropped },
        dropped > 0 ? 'journal entries were lost' : 'the journal has a fault',
      ),
    onRecovered: () => log.info({ component: 'journal' }, 'the journal is written again'),
  });
  releases.push(() => journal.stop());
  const writer = randomUUID();
  const store = new SqlContainerStore({
    db,
    clock,
    clusterId: config.clusterId,
    randomBytes: randomBytesInBulk(15),
    size: sizeBy(config),
    maxDispatchAttempts: config.scheduler.maxDispatchAttempts,
    writer,
    patienceMs: storePatienceMs,
    onFault: (uuid, err) =>
      log.error({ component: 'store', containerId: uuid, err }, 'container record cannot be read'),
  });
  releases.push(() => store.stop());
  const keeper = new OutputKeeper({
    db,
    clock,
    maxAgeMs: config.logs.maxAgeMs,
    onFault: (err) => log.warn({ component: 'store', err }, 'old output of containers could not be deleted'),
  });
  keeper.start();
  releases.push(() => keeper.stop());
  const sightings = new StoredSightings({
    db,
    clock,
    onFault: (err) => log.warn({ component: 'store', err }, 'ages of instances could not be kept'),
  });
  releases.push(() => sightings.stop());
  const hostKeys = new StoredHostKeys({ db, clock, onFault: notYetStored(log, 'host keys') });
  releases.push(() => hostKeys.stop());
  const conduct = new StoredConduct({ db, clock, onFault: notYetStored(log, 'strikes') });
  releases.push(() => conduct.stop());
  const sessions = new SqlPageSessions(db);
  return { store, journal, db, sessions, sightings, hostKeys, conduct, isShared, writer, health };
}

function notYetStored(log: Logger, what: string): (error: unknown) => void {
  return (err) =>
    log.warn({ component: 'store', what, err }, 'data about instances is not in the store yet; trying again');
}

function storeHealthOf(isShared: boolean, { clock, log }: { clock: Clock; log: Logger }): StoreHealth {
  return new StoreHealth({
    clock,
    isShared,
    onDamage: (damage) => log.error({ component: 'store', damage }, 'the store is damaged'),
  });
}

function keepFiles(
  db: Store,
  path: string,
  {
    clock,
    log,
    health,
    releases,
  }: { clock: Clock; log: Logger; health: StoreHealth; releases: (() => Promise<void> | void)[] },
): void {
  if (path === ':memory:') return;
  const keeper = new FileKeeper({
    db,
    path,
    clock,
    onDamage: (text) => health.damaged(text),
    onFault: (err) =>
      log.warn({ component: 'store', err }, 'the files of the store could not be looked after'),
  });
  keeper.start();
  releases.push(() => keeper.stop());
}

/** Reads in larger blocks, because single small reads would dominate the cost of a new container. */
function randomBytesInBulk(size: number): () => Uint8Array {
  let bulk: Uint8Array = new Uint8Array(0);
  let from = 0;
  return () => {
    if (from === bulk.length) [bulk, from] = [randomBytes(size * 512), 0];
    from += size;
    return bulk.subarray(from - size, from);
  };
}
