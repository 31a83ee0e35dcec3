import type { Instance } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { WorkerActor } from '../machines/worker.js';

/** What is known of how an instance came to be. */
export interface InstanceOrigin {
  /** False: nothing says that it was asked for. */
  recorded: boolean;
  /** The create call of this process; not given: none is known. */
  launchId?: string | undefined;
  /** Epoch ms. */
  createdAt?: number | undefined;
}

/** One instance the pool knows, and the actor that lives its life. */
export interface WorkerEntry {
  instance: Instance;
  readonly instanceType: InstanceType;
  readonly origin?: InstanceOrigin;
  actor: WorkerActor;
  /** The number of the list call that was under way, or the last one, when it appeared. */
  readonly appearedInList: number;
  /** How many lists in a row did not have it, since it last answered (K-6). */
  missed: number;
  /** When the first of these was asked for, epoch ms. */
  missedSince: number;
  /** How often its actor broke. */
  breakdowns: number;
}
