import type { InstanceType } from '../domain/instance-type.js';
import { viewOfLaunch, type PendingLaunch } from './worker-views.js';
import type { InstanceView } from '../domain/instance-view.js';
import type { InstanceOrigin } from './worker-entry.js';

export interface LaunchesOptions {
  /** Create calls of an earlier process that may have succeeded unheard; by fingerprint. */
  openIntents: ReadonlySet<string>;
  /** When each instance that this set ever asked for was asked for; by fingerprint. Not given: nobody knows. */
  recorded?: ReadonlyMap<string, number> | undefined;
}

/** Create calls that are remembered after they ended. */
const mostAsked = 100_000;

/** The create calls that have not returned, and what is known of earlier ones. */
export class Launches {
  readonly #options: LaunchesOptions;
  readonly #pending = new Map<string, PendingLaunch>();
  /** When this process asked for each instance, by fingerprint: also for those whose answer was never heard. */
  readonly #asked = new Map<string, number>();
  #last = 0;

  constructor(options: LaunchesOptions) {
    this.#options = options;
  }

  /** How many have not returned. */
  get size(): number {
    return this.#pending.size;
  }

  begin(launch: {
    instanceType: InstanceType;
    zone: string;
    fingerprint: string;
    startedAt: number;
  }): PendingLaunch {
    const launchId = `launch-${++this.#last}`;
    const pending = { launchId, ...launch, isListed: false };
    this.#pending.set(launchId, pending);
    this.#asked.set(launch.fingerprint, launch.startedAt);
    if (this.#asked.size > mostAsked) this.#asked.delete(this.#asked.keys().next().value!);
    return pending;
  }

  get(launchId: string): PendingLaunch | undefined {
    return this.#pending.get(launchId);
  }

  end(launchId: string): void {
    this.#pending.delete(launchId);
  }

  /** Those whose instance is not among the workers yet. */
  unlisted(): PendingLaunch[] {
    return [...this.#pending.values()].filter(({ isListed }) => !isListed);
  }

  views(): InstanceView[] {
    return this.unlisted().map(viewOfLaunch);
  }

  /**
   * What the fingerprint of a listed instance says of it. Its create call, when that has not returned, counts as an
   * instance from now on (K-11).
   */
  recognise(fingerprint: string): InstanceOrigin & { expected: boolean; launch: PendingLaunch | undefined } {
    const { openIntents, recorded } = this.#options;
    for (const launch of this.#pending.values()) {
      if (launch.fingerprint !== fingerprint) continue;
      const { launchId, startedAt } = launch;
      return { expected: true, recorded: true, launchId, createdAt: startedAt, launch };
    }
    const expected = openIntents.has(fingerprint);
    const createdAt = recorded?.get(fingerprint) ?? this.#asked.get(fingerprint);
    return {
      expected,
      recorded: !recorded || expected || createdAt !== undefined,
      createdAt,
      launch: undefined,
    };
  }
}
