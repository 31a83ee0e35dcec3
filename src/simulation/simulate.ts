import type { QuotaBound } from '../fleet/quota-bound.js';
import { RunnerProgram } from '../runner/program.js';
import type { Config } from '../config/config.js';
import type { JournalEntry } from '../journal/journal.js';
import type { workerMachine } from '../machines/worker.js';
import type { completeRow } from '../queue/store/container-transitions.js';
import type { Fault } from './faults.js';
import { settle } from './heap-clock.js';
import type { ContainerLife, InstanceLife } from './ground-truth.js';
import { Rules } from './rules.js';
import { Story } from './simulated-run.js';
import type { Workload } from './workload.js';
import { World, epochMs, type CallCount } from './world.js';
import { usualWorld, type WorldSettings } from './world-settings.js';
import type { Violation } from './violation.js';

export interface SimulateOptions {
  /** The operator's own; driver, secrets, store and state folder in it are not used. */
  config: Config;
  workload: Workload;
  /** The same seed and options give the same journal, byte by byte. */
  seed: number;
  hours: number;
  /** Over {@link usualWorld}. */
  world?: Partial<WorldSettings>;
  /** Make visits that change nothing as well: slower, and the same journal. Default false. */
  everyVisit?: boolean;
  /** Let watches say something every 15 seconds, so that their silence is noticed as well: slower. Default false. */
  beats?: boolean;
  /** Default: none. */
  faults?: readonly Fault[];
  /** Go on after the hours, without faults, until all containers ended and all instances are gone. Default false. */
  untilDone?: boolean;
  /** End with the first violation. Default false. */
  failFast?: boolean;
  /** Told about a hundred times, in the order of time. */
  onProgress?(progress: { elapsedMs: number; untilMs: number }): void;
  /** Told of each journal entry. */
  onEntry?(entry: JournalEntry): void;
  signal?: AbortSignal;
  /** In place of the worker's chart: only to see whether the rules find a mistake. */
  worker?: typeof workerMachine;
  /** Let daemons give orders without asking whether they still lead: likewise. Default false. */
  isHeedless?: boolean;
  /** In place of each daemon's bound of instances at quota: likewise. */
  quotaBound?: () => QuotaBound;
  /** In place of what the store makes of a result: likewise. */
  completeRow?: typeof completeRow;
}

/** What really happened. Times in ms since the start. */
export interface SimulationResult {
  seed: number;
  /** How far it went. */
  elapsedMs: number;
  /** How long it took. */
  wallMs: number;
  /** SHA-256 of the journal, hex. */
  journalHash: string;
  journalEntries: number;
  violations: readonly Violation[];
  containers: readonly ContainerLife[];
  instances: readonly InstanceLife[];
  /** Calls to the provider, by minute; minutes without any are missing. */
  calls: ReadonlyMap<number, CallCount>;
  /** Probe rounds that were not made, as they would have changed nothing. */
  passedOver: number;
  /** Daemon processes there were. */
  daemons: number;
}

/**
 * Runs the real daemon core against a simulated provider, machines, network and store, on a simulated clock. Rejects
 * with the signal's reason, or for a fault of the simulation itself; what the daemon does wrong is in the result.
 */
export async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  const { seed, hours, workload, faults = [], onProgress, signal } = options;
  const startedAt = performance.now();
  const config = simulatedConfig(options.config);
  const runner = new RunnerProgram(config.runner);
  await runner.load();
  const settings = { ...usualWorld, ...options.world };
  const { everyVisit = false, beats = false, onEntry } = options;
  const { worker, isHeedless = false, quotaBound, completeRow } = options;
  const world = new World({ config, settings, seed, onEntry, everyVisit, beats });
  const rules = new Rules(world);
  const planted = { worker, isHeedless, quotaBound, completeRow };
  const story = new Story({ world, runner, rules, workload, faults, planted });
  const untilMs = hours * 3_600_000;
  const isOver = (): boolean => options.failFast === true && rules.violations.length > 0;
  const stepMs = Math.max(60_000, untilMs / 100);
  world.pausesAt = epochMs + untilMs;
  story.begin();
  for (let toMs = stepMs; toMs <= untilMs && !isOver(); toMs += stepMs) {
    await advance(story, toMs, isOver, signal);
    onProgress?.({ elapsedMs: toMs, untilMs });
  }
  if (options.untilDone === true && !isOver()) {
    story.calm();
    world.pausesAt = Infinity;
    const { lastMs } = story;
    for (let toMs = untilMs; toMs < lastMs && !story.isDone() && !isOver(); toMs += 60_000) {
      await advance(story, toMs, isOver, signal);
    }
    if (!isOver()) rules.atEnd();
  }
  story.end();
  await settle();
  return {
    seed,
    elapsedMs: world.elapsedMs,
    wallMs: performance.now() - startedAt,
    journalHash: world.journal.hash(),
    journalEntries: world.journal.entries,
    violations: rules.violations,
    containers: [...world.ledger.containers.values()],
    instances: [...world.ledger.instances.values()],
    calls: world.calls,
    passedOver: world.passedOver,
    daemons: story.daemons,
  };
}

const lookEveryMs = 60_000;

async function advance(
  story: Story,
  toMs: number,
  isOver: () => boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { world } = story;
  const { clock } = world;
  const toAt = epochMs + toMs;
  let lookAt = epochMs + (Math.floor(world.elapsedMs / lookEveryMs) + 1) * lookEveryMs;
  for (let next = clock.nextAt(); next !== undefined && next <= toAt && !isOver(); next = clock.nextAt()) {
    if (next > lookAt) {
      story.look();
      lookAt += Math.ceil((next - lookAt) / lookEveryMs) * lookEveryMs;
    }
    clock.step();
    await clock.settled();
    signal?.throwIfAborted();
  }
  if (isOver()) return;
  await clock.advance(Math.max(0, toAt - clock.now()));
  if (toAt >= lookAt) story.look();
}

/** Longshore's own runner program, no secret, nothing on disk. */
function simulatedConfig(config: Config): Config {
  return {
    ...config,
    driver: 'simulated',
    driverParameters: {},
    systemRootToken: 'simulated',
    managementToken: '',
    dispatchPrivateKey: '',
    runner: { ...config.runner, deploy: 'built-in' },
  };
}
