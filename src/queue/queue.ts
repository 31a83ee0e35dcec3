import type { AttemptOrigin, Container, ContainerState } from '../domain/container.js';
import type { QueueSnapshot } from '../domain/queue-entry.js';
import type { ContainerResult, ContainerWork } from '../domain/container-work.js';

/**
 * What the queue did with a result. `taken`: it is durable, and the container is now in `state`. `known`: the result of
 * that attempt was taken before. `refused`: it is of another attempt or instance than the queue names, or of an attempt
 * that was given up; nothing changed.
 */
export type ResultVerdict =
  | { kind: 'taken'; state: ContainerState; attempt: number | undefined }
  | { kind: 'known' }
  | { kind: 'refused'; because: string };

/** A report of an instance about a container that the queue places elsewhere, or in another attempt. */
export interface RefusedClaim extends AttemptOrigin {
  uuid: string;
  what: 'result' | 'loss' | 'process';
  because: string;
}

/** An attempt of which it is known that nothing of the container ran. */
export interface RevertedStart {
  /** Where it was to run. */
  instanceId: string;
  /** Not given: the last one. */
  attempt?: number | undefined;
  /** What went wrong, for people. */
  reason: string;
  /** The next attempt begins no sooner. */
  pauseMs?: number;
  /** It ran, and its instance is at fault: the cost counts, the attempt does not. */
  hasRun?: boolean;
}

/** Where a container runs, and at what price. */
export interface Placement {
  instanceId: string;
  instanceTypeName: string;
  /** Dollars. */
  pricePerHour: number;
}

export interface UnlockOptions {
  /** The lock is given up for no fault of the container. A controller counts it all the same. */
  isUncounted?: boolean;
}

/**
 * The containers that are ready to run, run, or ran lately. Reading never waits; changes resolve when they are
 * durable and reject with {@link QueueError} otherwise, having changed nothing.
 */
export interface Queue {
  /** Fetches anew. One at a time; a failed one leaves everything as it was. */
  update(): Promise<void>;
  entries(): QueueSnapshot;
  /** The same without a copy: it changes with the next change, so it is for those who are done with it at once. */
  peek?(): QueueSnapshot;
  /** The ids of entries that came, went or changed since the last call; `undefined`: any of them. For one caller only. */
  takeChanges?(): ReadonlySet<string> | undefined;
  get(uuid: string): Container | undefined;
  lock(uuid: string): Promise<void>;
  /** Counts as a dispatch attempt, which may be the last (CR-15), unless it is said that it does not. */
  unlock(uuid: string, options?: UnlockOptions): Promise<void>;
  cancel(uuid: string, reason: string): Promise<void>;
  /**
   * The process ended without leaving a result, or its instance is gone: Queued again while attempts remain,
   * Cancelled otherwise. A queue whose server retries by itself cancels. `origin`: the attempt that is lost, if it is
   * known; nothing changes then for a container whose last attempt is another one, or was given to another instance.
   */
  lost(uuid: string, reason: string, origin?: AttemptOrigin): Promise<void>;
  /** Drops an entry that is final, or Queued with priority 0; otherwise does nothing. */
  forget(uuid: string): void;
  /** Calls back after changes, many at once as one, never inside the change. Returns the end of it. */
  subscribe(listener: () => void): () => void;
  /**
   * What the runner needs to run the container, or `undefined` when the runner fetches it itself (a controller's queue).
   */
  work(uuid: string): Promise<ContainerWork | undefined>;
  /**
   * Locked to Running, durable before the start command is sent: from then on the container may run on that instance,
   * and is never given to another one while that is unknown. Resolves to the number of the attempt that begins, never
   * used before for the container. Without effect on a queue whose runner does this itself: resolves to `undefined`.
   */
  started(uuid: string, where: Placement, at: number): Promise<number | undefined>;
  /**
   * Takes back what `started` recorded of an attempt that ran nothing, or whose instance is at fault: Queued again, and the attempt is not charged;
   * Cancelled when too many failed in this way. Nothing changes for another attempt, or a container that is not Running on that instance.
   * Without effect on a queue whose runner records starts itself.
   */
  revertStart(uuid: string, start: RevertedStart): Promise<void>;
  /**
   * Records the result of the attempt that `origin` names: Running to Complete, or Queued for the next attempt when the
   * retry policy says so. Of a Cancelled container, the result of its last attempt is kept.
   */
  complete(uuid: string, result: ContainerResult, origin: AttemptOrigin): Promise<ResultVerdict>;
  /** When its server last said that it is overloaded, epoch ms; 0: never. Not given: there is no server to say so. */
  last503At?(): number;
  stop(): Promise<void>;
}

export const queueErrorCodes = [
  'conflict',
  'not-found',
  'unavailable',
  'superseded',
  'invalid',
  'unsupported',
] as const;
export type QueueErrorCode = (typeof queueErrorCodes)[number];

/**
 * `conflict`: the container's state does not allow it (CR-11..CR-13). `unavailable`: the store or server did not answer.
 * `superseded`: another daemon leads now, so this one changes nothing any more. `unsupported`: this kind of queue does
 * not do that, and the message says who does.
 */
export class QueueError extends Error {
  readonly code: QueueErrorCode;
  constructor(code: QueueErrorCode, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = 'QueueError';
    this.code = code;
  }
}
