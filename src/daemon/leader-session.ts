import { hostname } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import type { Clock } from '../domain/clock.js';
import { soleMandate, type Mandate } from '../domain/leader-guard.js';
import type { Role } from '../domain/leadership-role.js';
import { DispatchLock } from '../queue/controller/dispatch-lock.js';
import { ChangeFeed } from '../queue/store/change-feed.js';
import { storeIdentity } from '../queue/store/store-identity.js';
import type { StoreTarget } from '../queue/store/store-url.js';
import type { Core } from './core.js';
import { DispatchLead, type DispatchLeadOptions } from '../leadership/dispatch-lead.js';
import { Leadership } from '../leadership/leader-election.js';
import type { OpenStorage } from './open-storage.js';
import { storeTarget } from './store-admin.js';
import { notLeading, whileLeading } from './leader-only.js';

/** The core at work, and how it ends with all that was opened for it. */
export interface Begun {
  core: Core;
  stop(): Promise<void>;
}

export interface OrdersOptions {
  config: Config;
  clock: Clock;
  log: Logger;
  storage: OpenStorage;
  instanceSetId: string;
  /** Starts what gives orders; rejects with everything released. */
  begin(mandate: Mandate): Promise<Begun>;
  /** The cluster's database, whose dispatch lock must be held meanwhile; `undefined`: none must. */
  lockDatabase: StoreTarget | undefined;
  /** Where this daemon's API is, once it listens. */
  url(): string;
}

/** What gives orders, while this daemon may: always on a store of its own, while it leads on a shared one. */
export class Orders {
  readonly #options: OrdersOptions;
  readonly #leadership: Leadership | undefined;
  readonly #name = `${hostname()}:${process.pid}`;
  #present: Begun | undefined;
  #lead: DispatchLead | undefined;
  /** Its parts throw `superseded`, saying who leads, while this daemon does not. */
  readonly core: Omit<Core, 'stop'>;

  constructor(options: OrdersOptions) {
    this.#options = options;
    const { config, clock, log, storage, instanceSetId, url } = options;
    if (storage.isShared) {
      storage.store.standBy();
      this.#leadership = new Leadership({
        db: storage.db,
        target: storeTarget(config),
        clock,
        log,
        monotonicMs: () => performance.now(),
        name: this.#name,
        url,
        instanceSetId,
        reign: (epoch, mandate, signal) => this.#reign(epoch, mandate, signal),
      });
    }
    const missing = (): Error => notLeading(this.role());
    this.core = {
      pool: whileLeading(() => this.#present?.core.pool, missing),
      dispatch: whileLeading(() => this.#present?.core.dispatch, missing),
      executors: whileLeading(() => this.#present?.core.executors, missing),
      quarantine: whileLeading(() => this.#present?.core.quarantine, missing),
      hostKeys: whileLeading(() => this.#present?.core.hostKeys, missing),
    };
  }

  get isLeading(): boolean {
    return this.#present !== undefined;
  }

  /** Throws `superseded`, saying who leads, while this daemon does not. */
  assertLeading(): void {
    if (!this.isLeading) throw notLeading(this.role());
  }

  role(): Role {
    const alone = { name: this.#name, url: this.#options.url() };
    const role = this.#leadership?.role() ?? { state: 'leading', leader: alone, epoch: 0, fault: undefined };
    // The lease is there, what gives orders is being started, or waits for the dispatch lock.
    if (role.state !== 'leading' || this.#present) return role;
    if (!this.#leadership && !this.#lead) return role;
    return { ...role, state: 'standing by', leader: undefined, fault: role.fault ?? this.#lead?.fault };
  }

  /** On a store of its own, what gives orders has begun when it resolves; rejects when it can not. */
  async start(): Promise<void> {
    if (!this.#leadership && !this.#options.lockDatabase) {
      this.#present = await this.#options.begin(soleMandate);
    }
  }

  /** On a shared store, or beside an old dispatcher, begins to seek the lead; the API must listen. */
  seekLead(): void {
    this.#leadership?.start();
    if (this.#leadership || !this.#options.lockDatabase) return;
    const reign = (mandate: Mandate, signal: AbortSignal) => this.#give(mandate, signal);
    this.#lead = this.#dispatchLead(this.#options.lockDatabase, {
      application: 'longshore',
      mandate: soleMandate,
      mayEvict: false,
      reign,
    });
    this.#lead.start();
  }

  async stop(): Promise<void> {
    await this.#leadership?.stop();
    await this.#lead?.stop();
    await this.#present?.stop();
    this.#present = undefined;
  }

  async #reign(epoch: number, mandate: Mandate, signal: AbortSignal): Promise<void> {
    const { log, lockDatabase, storage } = this.#options;
    storage.store.lead(epoch);
    storage.hostKeys.lead(epoch);
    storage.conduct.lead(epoch);
    try {
      await (lockDatabase ? this.#giveLocked(lockDatabase, mandate, signal) : this.#give(mandate, signal));
    } finally {
      storage.store.standBy();
      storage.hostKeys.standBy();
      storage.conduct.standBy();
      log.info({ component: 'leadership', epoch }, 'all that gave orders has stopped');
    }
  }

  /** Gives orders whenever the dispatch lock is held as well; rejects when that cannot begin. */
  async #giveLocked(database: StoreTarget, mandate: Mandate, signal: AbortSignal): Promise<void> {
    const application = `longshore ${await storeIdentity(this.#options.storage.db)}`;
    await new Promise<void>((resolve, reject) => {
      const reign = async (both: Mandate, either: AbortSignal): Promise<void> => {
        await this.#give(both, either).catch((error: unknown) => {
          reject(error);
          throw error;
        });
      };
      this.#lead = this.#dispatchLead(database, { application, mandate, mayEvict: true, reign });
      this.#lead.start();
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    }).finally(async () => {
      await this.#lead?.stop();
      this.#lead = undefined;
    });
  }

  #dispatchLead(
    database: StoreTarget,
    {
      application,
      ...given
    }: Pick<DispatchLeadOptions, 'mandate' | 'mayEvict' | 'reign'> & { application: string },
  ): DispatchLead {
    const { clock, log } = this.#options;
    const lock = new DispatchLock({ database, application });
    return new DispatchLead({ lock, clock, log, monotonicMs: () => performance.now(), ...given });
  }

  async #give(mandate: Mandate, signal: AbortSignal): Promise<void> {
    const begun = await this.#options.begin(mandate);
    const feed = this.#options.storage.isShared ? this.#feed() : undefined;
    try {
      if (!signal.aborted) this.#present = begun;
      feed?.start();
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    } finally {
      this.#present = undefined;
      await Promise.all([begun.stop(), feed?.stop()]);
    }
  }

  #feed(): ChangeFeed {
    const { config, clock, log, storage } = this.#options;
    const { store, db, writer } = storage;
    const fields = { component: 'store' };
    return new ChangeFeed({
      listen: { url: config.storeListen || config.store, password: config.storePassword },
      db,
      clock,
      writer,
      onNews: () =>
        void store.update().catch((err: unknown) => log.debug({ ...fields, err }, 'store cannot be read')),
      onMode: (mode, err) => {
        if (mode === 'listening') log.info(fields, 'changes of others are announced');
        else
          log.warn(
            { ...fields, err },
            'changes of others are not announced: the store is asked every second',
          );
      },
    });
  }
}
