import type {
  Container,
  ContainerState,
  RuntimeConstraints,
  SchedulingParameters,
} from '../domain/container.js';
import type { Queue } from './queue.js';
import type { ContainerResult, ContainerWork } from '../domain/container-work.js';

/** A container as its owner asks for it. */
export interface ContainerRequest {
  /** For people; may be `''`. */
  name: string;
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  image: string;
  cwd: string;
  constraints: RuntimeConstraints;
  scheduling: SchedulingParameters;
  tmpMountBytes: number;
  priority: bigint;
  /** How often it may be begun before a lost run cancels it. */
  maxAttempts: number;
  /** Two requests with the same key make one container; `''`: none. */
  idempotencyKey: string;
}

/** All that is kept of one container. */
export interface ContainerRecord extends Container, ContainerWork {
  name: string;
  attempts: number;
  maxAttempts: number;
  lockCount: number;
  /** Where it runs or ran; `''` before. */
  instanceId: string;
  instanceTypeName: string;
  startedAt: number | undefined;
  finishedAt: number | undefined;
  exitCode: number | undefined;
  /** Why it was cancelled, or what its owner should know; `''` when nothing. */
  error: string;
  /** Dollars of all its attempts that ended; `undefined` before the first did. */
  cost: number | undefined;
}

export interface ContainerFilter {
  states?: readonly ContainerState[];
  name?: string;
  instanceId?: string;
  /** Page size, 1 to 1000. */
  limit: number;
  /** From the previous page's `next`. */
  after?: string;
}

export interface ContainerPage {
  items: ContainerRecord[];
  /** `undefined` on the last page. */
  next: string | undefined;
}

/** Longshore's own containers: what owners submit and read, beside what the dispatcher does with them. */
export interface ContainerStore extends Queue {
  /** All or none; durable when it resolves. Returns the records in the order of the requests. */
  submit(requests: readonly ContainerRequest[]): Promise<ContainerRecord[]>;
  list(filter: ContainerFilter): Promise<ContainerPage>;
  find(uuid: string): Promise<ContainerRecord | undefined>;
  /** How many there are in each state. */
  counts(): Promise<Record<ContainerState, number>>;
  /** How many of those that are Complete ended with another exit code than 0; `undefined` when that is not known. */
  failed(): Promise<number | undefined>;
  setPriority(uuid: string, priority: bigint): Promise<void>;
  /** What the container printed, once it ended. */
  output(uuid: string): Promise<Pick<ContainerResult, 'stdout' | 'stderr'> | undefined>;
}
