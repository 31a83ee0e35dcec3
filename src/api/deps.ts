import type { BreakerView } from '../domain/breaker-view.js';
import type { Logger } from 'pino';
import type { ChartState } from '../actors/chart-state.js';
import type { InstanceView, Pool } from '../actors/pool.js';
import type { Clock } from '../domain/clock.js';
import type { PageSessionStore } from '../domain/page-session.js';
import type { Role } from '../domain/role.js';
import type { Explanation } from '../explain/explanation.js';
import type { Journal } from '../journal/journal.js';
import type { Metrics } from '../metrics/metrics.js';
import type { WaitReason } from '../policy/wait-reason.js';
import type { Replay } from '../replay/replay.js';
import type { ContainerStore } from '../queue/container-store.js';
import type { QueueEntry } from '../queue/queue.js';
import type { RemoteSession, SessionOptions } from '../ssh/executor.js';
import type { LiveFeed } from './live-feed.js';
import type { WorkerWatchers } from './worker-watchers.js';

/** One container as the last scheduling pass saw it (H-10). */
export interface DispatchView {
  entry: QueueEntry;
  wait: WaitReason | undefined;
}

/** `none`: the instance is in no quarantine. `refused`: why it stays there. */
export type QuarantineCleared = { is: 'cleared' } | { is: 'none' } | { is: 'refused'; because: string };

/** What pages follow as it happens. */
export interface LiveParts {
  feed: LiveFeed;
  watchers: WorkerWatchers;
  /** Where the worker is in its statechart; `undefined` when there is no such instance. */
  chart(instanceId: string): ChartState | undefined;
}

/** All the API needs; it knows no machine. */
export interface ApiDeps {
  /** Throws `superseded` while another daemon leads, as all do that only a leader can. */
  pool: Pool;
  role(): Role;
  /** What many attempts in a row failed of; `undefined` when they do not. */
  attemptFault(): string | undefined;
  /** Why the store is not whole; `undefined` when nothing is known to be wrong with it. */
  storeFault(): string | undefined;
  /** What the dispatcher fails at again and again. `stop`: what keeps every container from being dispatched. */
  dispatchFault(): { any: string | undefined; stop: string | undefined };
  /** Throws `superseded`, saying who leads, while another daemon does. */
  assertLeading(): void;
  store: ContainerStore;
  dispatcher: {
    /** In the order of the last pass. */
    containers(): DispatchView[];
    wait(uuid: string): WaitReason | undefined;
  };
  breakers: {
    list(): BreakerView[];
    reset(key: string): boolean;
  };
  /** Ends the quarantine of an instance; without `force` only when it is certain that nothing runs there. */
  clearQuarantine(instanceId: string, force: boolean): Promise<QuarantineCleared>;
  journal: Journal;
  /** Logins of browsers. */
  sessions: PageSessionStore;
  /** Keeps who ordered what, and why. */
  orders: {
    containerOrder(uuid: string, order: string, because: string): void;
    breakerReset(key: string, because: string): void;
    quarantineCleared(instanceId: string, because: string): void;
  };
  metrics: Metrics;
  explain(id: string): Promise<Explanation | undefined>;
  /** The recorded steps of an instance, the last `limit` of them, made again; `undefined` when none are kept. */
  replay(instanceId: string, limit: number): Promise<Replay | undefined>;
  /**
   * What a container that still runs has printed, and goes on to print while `follow`, in pieces. Throws `ExecutorError`
   * when that cannot be had to its end.
   */
  tail(
    view: InstanceView,
    uuid: string,
    stream: 'stdout' | 'stderr',
    follow: boolean,
    signal: AbortSignal,
  ): AsyncIterable<string>;
  /** A person's session on the instance, over the daemon's own verified connection. Rejects with `ExecutorError`. */
  openShell(
    instanceId: string,
    options: SessionOptions,
  ): Promise<{ session: RemoteSession; address: string; user: string }>;
  /** How many of these sessions there may be at once. */
  maxShells: number;
  live: LiveParts;
  managementToken: string;
  /** Where the built page is. */
  pageFolder: string;
  version: string;
  clock: Clock;
  log: Logger;
}
