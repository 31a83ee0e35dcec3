import type { HostHabits } from './host.js';
import type { ZooWorld } from './world.js';

/** What is to come of a host of the kind. */
export type Outcome =
  /** All work is done on it. */
  | { is: 'works' }
  /** It never takes a container; within `withinMs` an operator can read why. */
  | { is: 'refused'; withinMs: number; because: RegExp }
  /** It boots and cannot start containers: it is drained, with the reason, and no attempt is charged. */
  | { is: 'drained'; withinMs: number; because: RegExp };

export const phases = ['boot', 'run', 'collect', 'logs', 'kill', 'restart'] as const;
/** What each kind is crossed with. */
export type Phase = (typeof phases)[number];

/** Something that happens to a host of the kind, beside the phases. */
export interface Scene {
  /** A sentence of behaviour. */
  name: string;
  play(world: ZooWorld): Promise<void>;
}

/** A kind of host. */
export interface Kind {
  name: string;
  habits: HostHabits;
  outcome: Outcome;
  /** Static hosts, or a cloud that makes one for each create call. Not given: static. */
  by?: 'static' | 'cloud';
  /** More lines under `pool:`. */
  pool?: readonly string[];
  /** More top-level lines of the configuration. */
  config?: readonly string[];
  scenes?: readonly Scene[];
  /** Programs of this machine that its hosts need. */
  needs?: readonly string[];
  /** More time for each step, as a factor: it is slow by its habits. */
  patience?: number;
  /** Run by the test suite, which has little time. */
  inSuite?: boolean;
}
