import type { Container, ContainerState, ResourceNeeds } from '../domain/container.js';
import { isFinal } from '../domain/container.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { QueueEntry, QueueSnapshot } from './queue.js';

/** What a container needs and which types fit it, or why none does. */
export type SizeContainer = (
  container: Container,
) =>
  | { needs: ResourceNeeds; instanceTypes: readonly InstanceType[] }
  | { needs: ResourceNeeds; unsatisfiable: string };

/** The containers a dispatcher deals with, as last heard of (Q-1..Q-8, Q-20..Q-27). */
export class QueueCache {
  readonly #entries = new Map<string, QueueEntry>();
  readonly #size: SizeContainer;
  readonly #now: () => number;
  #threshold = 0;

  constructor(size: SizeContainer, now: () => number) {
    this.#size = size;
    this.#now = now;
  }

  get(uuid: string): QueueEntry | undefined {
    return this.#entries.get(uuid);
  }

  snapshot(): QueueSnapshot {
    return { entries: this.#entries, threshold: this.#threshold };
  }

  /** All that was read is at least as fresh as this. */
  advance(threshold: number): void {
    this.#threshold = Math.max(this.#threshold, threshold);
  }

  /** Takes the container over. Returns why it can never run, when that is so and it is still waiting. */
  put(container: Container): string | undefined {
    const known = this.#entries.get(container.uuid);
    if (known) {
      this.#entries.set(container.uuid, { ...known, container });
      return undefined;
    }
    if (isFinal(container.state)) return undefined;
    const sizing = this.#size(container);
    const isMisfit = 'unsatisfiable' in sizing;
    if (isMisfit && container.state !== 'Running') return sizing.unsatisfiable;
    this.#entries.set(container.uuid, {
      container,
      needs: sizing.needs,
      instanceTypes: isMisfit ? [] : sizing.instanceTypes,
      firstSeenAt: this.#now(),
    });
    return undefined;
  }

  setState(uuid: string, state: ContainerState): void {
    const known = this.#entries.get(uuid);
    if (known) this.#entries.set(uuid, { ...known, container: { ...known.container, state } });
  }

  setPriority(uuid: string, priority: bigint): void {
    const known = this.#entries.get(uuid);
    if (known) this.#entries.set(uuid, { ...known, container: { ...known.container, priority } });
  }

  /** Drops it when it is final, or Queued with priority 0. */
  forget(uuid: string): void {
    const container = this.#entries.get(uuid)?.container;
    if (!container) return;
    if (isFinal(container.state) || (container.state === 'Queued' && container.priority === 0n)) {
      this.#entries.delete(uuid);
    }
  }
}
