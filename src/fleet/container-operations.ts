import type { Clock } from '../domain/clock.js';
import type { Container } from '../domain/container.js';
import type { Queue, UnlockOptions } from '../queue/queue.js';
import type { StartFailures } from './start-failures.js';

export interface Decision {
  kind: string;
  container?: string;
  instance?: string;
  because: string;
  /** What it was decided from. */
  data?: Readonly<Record<string, unknown>>;
}

/** Receives what happens to containers in the queue. None of these may throw. */
export interface OperationObserver {
  decided(decision: Decision): void;
  failed(operation: string, uuid: string, error: unknown): void;
  /** What failed before was carried out. */
  succeeded?(operation: string, uuid: string): void;
}

export interface ContainerOperationsOptions {
  clock: Clock;
  queue: Queue;
  failures: StartFailures;
  observer: OperationObserver;
  /** An operation is under way for the container already: a later pass tries again. */
  refused(): void;
  /** An operation ended, or the pause after a failed one. */
  ended(): void;
}

/** A store that refuses one call after the other is not asked at once again. */
const failurePauseMs = 1_000;

/** Changes of containers in the queue, for each container one at a time (UL-1). */
export class ContainerOperations {
  readonly #options: ContainerOperationsOptions;
  /** The operation under way for a container. */
  readonly #underWay = new Map<string, string>();
  #isStopped = false;

  constructor(options: ContainerOperationsOptions) {
    this.#options = options;
  }

  /** Operations under way end by themselves, without a call of `ended`. */
  stop(): void {
    this.#isStopped = true;
  }

  isUnderWay(uuid: string): boolean {
    return this.#underWay.has(uuid);
  }

  lock(uuid: string, because: string): void {
    const { queue } = this.#options;
    const container = queue.get(uuid);
    this.#begin(
      { kind: 'lock', container: uuid, because, ...(container && { data: containerRequestData(container) }) },
      () => queue.lock(uuid),
    );
  }

  unlock(uuid: string, because: string, options: UnlockOptions): void {
    const { queue } = this.#options;
    this.#begin({ kind: 'unlock', container: uuid, because }, () => queue.unlock(uuid, options));
  }

  /** With the reason for which its start failed; an attempt that is not charged is taken back instead. */
  lose(uuid: string, because: string): void {
    const { queue, failures } = this.#options;
    const failed = failures.last(uuid);
    const why = failed ? `${because}: ${failed.reason}` : because;
    if (failed && (failed.ranNothing || failed.isUncharged)) {
      const { instanceId, attempt, reason, ranNothing } = failed;
      const start = { instanceId, attempt, reason, hasRun: !ranNothing };
      return this.#begin({ kind: 'revert', container: uuid, because: why }, () =>
        queue.revertStart(uuid, start),
      );
    }
    this.#begin({ kind: 'lost', container: uuid, because: why }, () => queue.lost(uuid, why));
  }

  /**
   * Begins the operation unless one is under way for the container, or failed a moment ago; then a later pass tries
   * again (UL-2, UL-3).
   */
  #begin(decision: Decision & { container: string }, operation: () => Promise<void>): void {
    const { observer, clock, refused, ended } = this.#options;
    const { kind, container: uuid } = decision;
    if (this.#underWay.has(uuid)) return refused();
    this.#underWay.set(uuid, kind);
    observer.decided(decision);
    const end = (): void => {
      this.#underWay.delete(uuid);
      if (!this.#isStopped) ended();
    };
    const succeed = (): void => {
      observer.succeeded?.(kind, uuid);
      end();
    };
    operation().then(succeed, (error: unknown) => {
      observer.failed(kind, uuid, error);
      clock.setTimeout(end, failurePauseMs);
    });
  }
}

/** What a container asks for: with it a past journal can be simulated again. */
function containerRequestData({
  constraints,
  scheduling,
  tmpMountBytes,
  priority,
  createdAt,
}: Container): Decision['data'] {
  return {
    createdAt,
    vcpus: constraints.vcpus,
    ramBytes: constraints.ramBytes,
    scratchBytes: tmpMountBytes,
    preemptible: scheduling.preemptible,
    priority: String(priority),
  };
}
