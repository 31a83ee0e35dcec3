import { transitionsOf } from './chart.js';
import { Coverage } from './coverage.js';
import { Drive, drivePath, type Difference } from './drive.js';
import { exploreGraph } from './graph.js';
import { mutantsOf, type Mutant } from './mutants.js';
import { pairsOf, staleRules, type Pair } from './pairs.js';
import { randomWalk } from './walk.js';
import type { Build, Scenario, Subject } from './world.js';

/** How far to go. */
export interface Effort {
  /** States looked around in, for each scenario. */
  statesPerScenario: number;
  walksPerScenario: number;
  walkLength: number;
  /** How many waits are let end after each path, so that what was only put off shows itself. */
  tail: number;
  random: () => number;
}

export interface Tested {
  scenario: Scenario;
  path: readonly string[];
}

/** What exploring a machine found. */
export interface Examination {
  subject: Subject;
  states: { all: readonly string[]; missed: readonly string[] };
  transitions: { all: readonly string[]; missed: readonly string[] };
  pairs: readonly Pair[];
  /** Pairs the chart decides, or that are listed as left alone, that nothing reached. */
  unreached: readonly Pair[];
  staleRules: readonly string[];
  /** Situations told apart, and steps between them. */
  situations: number;
  edges: number;
  /** Every path that was taken and compared. */
  tested: readonly Tested[];
  differences: readonly Difference[];
}

/** Explores all scenarios of the machine, each step compared with the reference. */
export function examine(subject: Subject, effort: Effort): Examination {
  const coverage = new Coverage();
  const build = { coverage };
  const tested: Tested[] = [];
  const differences: Difference[] = [];
  let [situations, edges] = [0, 0];
  for (const scenario of subject.scenarios) {
    const graph = exploreGraph(subject, scenario, effort.statesPerScenario, build);
    situations += graph.states;
    edges += graph.edges;
    differences.push(...graph.differences);
    for (const path of graph.paths) {
      const longer =
        effort.tail === 0
          ? { path, difference: undefined }
          : waitOut(subject, scenario, path, effort.tail, build);
      tested.push({ scenario, path: longer.path });
      if (longer.difference) differences.push(longer.difference);
    }
    for (let walk = 0; walk < effort.walksPerScenario; walk++) {
      const { path, difference } = randomWalk(subject, scenario, {
        length: effort.walkLength,
        random: effort.random,
        build,
      });
      tested.push({ scenario, path });
      if (difference) differences.push(difference);
    }
  }
  return { ...summary(subject, coverage), situations, edges, tested, differences };
}

/** The path, and then so many waits. */
function waitOut(
  subject: Subject,
  scenario: Scenario,
  path: readonly string[],
  waits: number,
  build: Build,
): { path: readonly string[]; difference: Difference | undefined } {
  const drive = new Drive(subject, scenario, build);
  drive.follow(path);
  for (let wait = 0; wait < waits; wait++) {
    const step = drive.options().find((each) => each.startsWith('pass '));
    if (!step) break;
    drive.follow([step]);
  }
  return { path: drive.path, difference: drive.end() };
}

function summary(
  subject: Subject,
  coverage: Coverage,
): Pick<Examination, 'subject' | 'states' | 'transitions' | 'pairs' | 'unreached' | 'staleRules'> {
  const { name, machine, circumstances, pairRules } = subject;
  const transitions = transitionsOf(name, machine).map(([key]) => key);
  const pairs = pairsOf(name, machine, circumstances, pairRules);
  const states = [...new Set(pairs.map(({ state }) => state))];
  return {
    subject,
    states: {
      all: states,
      missed: states.filter((state) => !coverage.visited.has(`${name} ${machine.id}.${state}`)),
    },
    transitions: { all: transitions, missed: transitions.filter((key) => !coverage.taken.has(key)) },
    pairs,
    unreached: pairs.filter(({ fate, key }) => fate !== 'impossible' && !coverage.met.has(key)),
    staleRules: staleRules(name, machine, circumstances, pairRules),
  };
}

export interface MutationScore {
  mutants: number;
  /** Those that no test noticed. */
  survivors: readonly string[];
}

/** The paths that take each transition, shortest first: where a mutant of it shows itself soonest. */
function pathsByTransition(subject: Subject, tested: readonly Tested[]): Map<string, Tested[]> {
  const coverage = new Coverage();
  const build = { coverage };
  const found = new Map<string, Tested[]>();
  for (const each of [...tested].sort((a, b) => a.path.length - b.path.length)) {
    coverage.recent.clear();
    drivePath(subject, each.scenario, each.path, build);
    for (const key of coverage.recent) {
      const list = found.get(key);
      if (list) list.push(each);
      else found.set(key, [each]);
    }
  }
  return found;
}

/**
 * Lets every mutant of the machine take the paths again. A mutant that changes what leaves the machine, or what its
 * table of states and events says, is noticed.
 */
export function testMutants(
  { subject, tested, pairs }: Examination,
  onProgress: (done: number, all: number) => void = () => {},
): MutationScore {
  const mutants = mutantsOf(subject.name, subject.machine);
  const paths = pathsByTransition(subject, tested);
  const survivors = mutants.filter((mutant, index) => {
    onProgress(index, mutants.length);
    return !changesTable(subject, pairs, mutant) && !isNoticed(subject, mutant, paths, tested);
  });
  return { mutants: mutants.length, survivors: survivors.map(({ name }) => name) };
}

/** A deliberate ignore that is gone: the event is one that nobody thought of. */
function changesTable(
  { name, circumstances, pairRules }: Subject,
  pairs: readonly Pair[],
  mutant: Mutant,
): boolean {
  const changed = pairsOf(name, mutant.machine, circumstances, pairRules);
  const fates = new Map(changed.map(({ key, fate }) => [key, fate]));
  return pairs.some(
    ({ key, fate }) => fate === 'ignored' && [undefined, 'undecided'].includes(fates.get(key)),
  );
}

/** One that is never taken can be missing unnoticed; a guard that never held can still let pass what it must not. */
function isNoticed(
  subject: Subject,
  { name, transition, machine, isRemoval }: Mutant,
  paths: ReadonlyMap<string, readonly Tested[]>,
  tested: readonly Tested[],
): boolean {
  const build = { mutant: { name: name.slice(0, name.indexOf(':')), machine } };
  const likely = paths.get(transition) ?? [];
  const known = new Set(likely);
  const rest = isRemoval ? [] : tested.filter((each) => !known.has(each));
  return [...likely, ...rest].some(
    ({ scenario, path }) => drivePath(subject, scenario, path, build) !== undefined,
  );
}
