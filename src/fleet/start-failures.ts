import type { Clock } from '../domain/clock.js';

/** A start that failed. */
export interface FailedStart {
  instanceId: string;
  /** Its number, where the store gave it one. */
  attempt?: number | undefined;
  /** For people. */
  reason: string;
  /** Nothing of the container ran: its attempt is not charged. */
  ranNothing: boolean;
  /** It ran, and is not charged all the same: its instance was at fault. */
  isUncharged?: boolean;
  /** The instance has no part in it, and is not avoided. */
  isOfDaemon?: boolean;
}

interface Failures {
  last: FailedStart | undefined;
  /** By instance: how often, and until when it is passed over in any case. */
  avoided: Map<string, { times: number; until: number }>;
}

const mostContainers = 10_000;
const mostInstances = 16;
const firstPauseMs = 10_000;
const longestPauseMs = 300_000;

/**
 * What is remembered of failed starts, in this process alone: which instances a container avoids for a while, and why
 * its last start failed. Bounded; the oldest is forgotten first.
 */
export class StartFailures {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #containers = new Map<string, Failures>();

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  failed(uuid: string, failure: FailedStart): void {
    const { avoided = new Map<string, { times: number; until: number }>() } =
      this.#containers.get(uuid) ?? {};
    this.#containers.delete(uuid);
    this.#containers.set(uuid, { last: failure, avoided });
    dropOldest(this.#containers, mostContainers);
    if (failure.isOfDaemon) return;
    const times = (avoided.get(failure.instanceId)?.times ?? 0) + 1;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (times - 1));
    avoided.delete(failure.instanceId);
    avoided.set(failure.instanceId, { times, until: this.#clock.now() + pauseMs });
    dropOldest(avoided, mostInstances);
  }

  /** Another start begins. What the container avoids is remembered. */
  begun(uuid: string): void {
    const known = this.#containers.get(uuid);
    if (known) known.last = undefined;
  }

  /** The container is over. */
  forget(uuid: string): void {
    this.#containers.delete(uuid);
  }

  /** Why its latest start failed; `undefined` when that did not fail, or is not known. */
  last(uuid: string): FailedStart | undefined {
    return this.#containers.get(uuid)?.last;
  }

  /**
   * The instances that another one is better than for this container, each with the time (epoch ms) until which it is
   * not used at all; `undefined`: none.
   */
  avoided(uuid: string): ReadonlyMap<string, number> | undefined {
    const known = this.#containers.get(uuid);
    return known && new Map([...known.avoided].map(([instanceId, { until }]) => [instanceId, until]));
  }
}

function dropOldest(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
