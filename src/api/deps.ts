import type { Logger } from 'pino';
import type { InstanceView, Pool } from '../actors/pool.js';
import type { Clock } from '../domain/clock.js';
import type { Journal } from '../journal/journal.js';
import type { Metrics } from '../metrics/metrics.js';
import type { WaitReason } from '../policy/wait-reason.js';
import type { ContainerStore } from '../queue/container-store.js';
import type { QueueEntry } from '../queue/queue.js';

/** One container as the last scheduling pass saw it (H-10). */
export interface DispatchView {
  entry: QueueEntry;
  wait: WaitReason | undefined;
}

/** An account of one instance or container, for people. */
export interface Explanation {
  kind: 'instance' | 'container';
  id: string;
  /** Sentences, most important first. */
  lines: string[];
}

/** All the API needs; it knows no machine. */
export interface ApiDeps {
  pool: Pool;
  store: ContainerStore;
  dispatcher: {
    /** In the order of the last pass. */
    containers(): DispatchView[];
    wait(uuid: string): WaitReason | undefined;
  };
  holdOffs: {
    list(): { key: string; state: string; because: string; until: number | undefined }[];
    reset(key: string): boolean;
  };
  journal: Journal;
  metrics: Metrics;
  explain(id: string): Promise<Explanation | undefined>;
  /** What a container that still runs has printed, and goes on to print while `follow`. */
  tail(
    view: InstanceView,
    uuid: string,
    stream: 'stdout' | 'stderr',
    follow: boolean,
    signal: AbortSignal,
  ): AsyncIterable<string>;
  managementToken: string;
  version: string;
  clock: Clock;
  log: Logger;
}
