import type { AnyStateMachine } from 'xstate';
import type { Coverage } from './coverage.js';
import type { Circumstances, PairRules } from './pairs.js';

/** The machine a world runs, and who is told which transitions it takes. */
export interface Build {
  /** Stands in for the machine of that name; others run as the daemon has them. */
  mutant?: { name: string; machine: AnyStateMachine };
  coverage?: Coverage;
}

/** A real actor among scripted neighbours. Steps and records are words, so that a path can be read and replayed. */
export interface World {
  /** What may happen next. */
  options(): string[];
  apply(step: string): void;
  /** All that left the machine since the last call: commands, cloud calls, facts, metrics, journal, and its public view. */
  take(): string[];
  /** Equal for situations that are worth exploring once. */
  key(): string;
  end(): void;
}

/** An independent account of what must leave the machine, written from the specification. */
export interface Reference {
  apply(step: string): void;
  take(): string[];
}

/** One corner of the machine's life, explored on its own so that the corners together stay small. */
export interface Scenario<TOptions = unknown> {
  name: string;
  options: TOptions;
  /** Leads to where the corner begins. */
  prefix?: readonly string[];
  /** Only steps that fit are explored. */
  steps: RegExp;
  /** Left out of the test run, which has less time than `scripts/explore`. */
  isDeep?: boolean;
  /** Steps taken by themselves as soon as they are possible, in this order. */
  auto?: readonly string[];
}

/** A machine under exploration. */
export interface Subject<TOptions = unknown> {
  name: string;
  machine: AnyStateMachine;
  pairRules: PairRules;
  /** Where pairs are counted under circumstances. */
  circumstances?: Circumstances;
  scenarios: readonly Scenario<TOptions>[];
  world(options: TOptions, build: Build): World;
  reference(options: TOptions): Reference;
}
