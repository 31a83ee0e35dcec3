import type { Container, ResourceNeeds } from './container.js';
import type { InstanceType } from './instance-type.js';

/** A container the dispatcher deals with. */
export interface QueueEntry {
  container: Container;
  needs: ResourceNeeds;
  /** Cheapest first (NS-42); empty when no configured type fits a container that already runs. */
  instanceTypes: readonly InstanceType[];
  /** When this dispatcher first saw it, epoch ms. */
  firstSeenAt: number;
  /** Where the dispatcher found it in the order of its last pass; nobody else writes it. */
  rank?: number;
}

export interface QueueSnapshot {
  entries: ReadonlyMap<string, QueueEntry>;
  /** When the last successful `update` began; 0 before the first. All entries are at least that fresh. */
  threshold: number;
}
