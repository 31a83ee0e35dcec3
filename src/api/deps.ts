import type { BreakerView } from '../domain/breaker-view.js';
import type { Logger } from 'pino';
import type { ChartState } from '../machines/inspection/active-states.js';
import type { Pool } from '../fleet/pool.js';
import type { InstanceConduct } from '../domain/conduct-view.js';
import type { Clock } from '../domain/clock.js';
import type { PinnedHostKey } from '../domain/host-key.js';
import type { PageSessionStore } from '../domain/page-session.js';
import type { Role } from '../domain/leadership-role.js';
import type { Explanation } from '../journal/explain/explanation.js';
import type { Journal } from '../journal/journal.js';
import type { Metrics } from '../observability/metrics.js';
import type { WaitReason } from '../policy/wait-reason.js';
import type { Replay } from '../journal/replay/replay.js';
import type { ContainerStore } from '../queue/container-store.js';
import type { RemoteSession, SessionOptions } from '../ssh/executor.js';
import type { LiveFeed } from './live-feed.js';
import type { WorkerWatchers } from './worker-watchers.js';
import type { InstanceView } from '../domain/instance-view.js';
import type { QueueEntry } from '../domain/queue-entry.js';

/** A container in the last scheduling pass (H-10). */
export interface DispatchView {
  entry: QueueEntry;
  wait: WaitReason | undefined;
}

/** `none`: the instance is not quarantined. `leaving`: it is being destroyed. `refused`: why it stays quarantined. */
export type QuarantineCleared = { is: 'cleared' | 'none' | 'leaving' } | { is: 'refused'; because: string };

/** `unknown`: there is no such instance. `refused`: why no other key can be accepted. */
export type HostKeyAccepted =
  { is: 'accepted'; key: PinnedHostKey } | { is: 'unknown' } | { is: 'refused'; because: string };

/** Sources of the live stream. */
export interface LiveParts {
  feed: LiveFeed;
  watchers: WorkerWatchers;
  /** Returns the active states of the worker; `undefined` when the instance does not exist. */
  chart(instanceId: string): ChartState | undefined;
}

/** Dependencies of the API, which imports no machine. */
export interface ApiDeps {
  /** Throws `superseded` while another daemon leads, like every member that needs the leader. */
  pool: Pool;
  role(): Role;
  /** Returns the common reason of consecutive failed attempts; `undefined` when there is none. */
  attemptFault(): string | undefined;
  /** Returns the damage of the store; `undefined` when no damage is known. */
  storeFault(): string | undefined;
  /** Returns the repeated failure of the dispatcher. `stop`: the reason why no container can be dispatched. */
  dispatchFault(): { any: string | undefined; stop: string | undefined };
  /** Throws `superseded`, naming the leader, while another daemon leads. */
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
  /** Ends the quarantine of an instance; without `force` only when nothing runs there for certain. */
  clearQuarantine(instanceId: string, force: boolean): Promise<QuarantineCleared>;
  /** What an instance did that it must not; not given, or `undefined`: nothing is known. */
  conduct?(instanceId: string): InstanceConduct | undefined;
  hostKeys: {
    /** The pinned key of an instance; `undefined`: there is none, or no such instance. */
    of(instanceId: string): PinnedHostKey | undefined;
    /** Pins the key with that fingerprint, or else the one that was refused last. */
    accept(instanceId: string, fingerprint: string | undefined, because: string): HostKeyAccepted;
  };
  journal: Journal;
  /** Login sessions of the page. */
  sessions: PageSessionStore;
  /** Journals operator commands with requester and reason. */
  orders: {
    containerOrder(uuid: string, order: string, because: string): void;
    breakerReset(key: string, because: string): void;
    quarantineCleared(instanceId: string, because: string): void;
  };
  metrics: Metrics;
  explain(id: string): Promise<Explanation | undefined>;
  /** Replays the last `limit` recorded steps of an instance; `undefined` when there are none. */
  replay(instanceId: string, limit: number): Promise<Replay | undefined>;
  /**
   * Yields the output of a running container, and while `follow` its further output. Throws `ExecutorError` when the output
   * cannot be read completely.
   */
  tail(
    view: InstanceView,
    uuid: string,
    stream: 'stdout' | 'stderr',
    follow: boolean,
    signal: AbortSignal,
  ): AsyncIterable<string>;
  /** Opens a user session on the instance over the daemon's verified connection. Rejects with `ExecutorError`. */
  openShell(
    instanceId: string,
    options: SessionOptions,
  ): Promise<{ session: RemoteSession; address: string; user: string }>;
  /** Maximum number of concurrent user sessions. */
  maxShells: number;
  live: LiveParts;
  managementToken: string;
  /** Folder of the built page. */
  pageFolder: string;
  version: string;
  clock: Clock;
  log: Logger;
}
