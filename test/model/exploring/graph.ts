import type { ActorLogic, EventObject, Snapshot } from 'xstate';
import { getAdjacencyMap } from 'xstate/graph';
import { Drive, type Difference } from './drive.js';
import type { Build, Scenario, Subject } from './world.js';

interface Visit {
  status: 'active';
  output: undefined;
  error: undefined;
  path: readonly string[];
  key: string;
  options: readonly string[];
}

/** What exploring one scenario found. */
export interface Graph {
  scenario: Scenario;
  /** Paths that together take every edge, none the beginning of another; shortest first. */
  paths: readonly (readonly string[])[];
  states: number;
  edges: number;
  /** False when exploring stopped at the limit. */
  isComplete: boolean;
  differences: readonly Difference[];
}

/**
 * Walks everything that can happen, breadth first, with `xstate/graph`: its transition function takes the path on a
 * real actor, timers and children included, which the pure function of a machine would leave out. Each edge is compared
 * with the reference as it is taken.
 */
export function exploreGraph(subject: Subject, scenario: Scenario, maxStates: number, build?: Build): Graph {
  let expanded = 0;
  const differences: Difference[] = [];
  const visit = (steps: readonly string[]): Visit => {
    const drive = new Drive(subject, scenario, build);
    drive.follow(steps);
    const found = { path: drive.path, key: drive.key(), options: drive.options() };
    const difference = drive.end();
    if (difference) differences.push(difference);
    return { status: 'active', output: undefined, error: undefined, ...found };
  };
  const logic = {
    getInitialSnapshot: () => visit(scenario.prefix ?? []),
    transition: ({ path }: Visit, { type }: EventObject) => visit([...path, type]),
    getPersistedSnapshot: (snapshot: Visit) => snapshot,
  };
  const adjacency = getAdjacencyMap(logic as unknown as ActorLogic<Snapshot<undefined>, EventObject>, {
    serializeState: (state) => (state as unknown as Visit).key,
    events: (state) => (state as unknown as Visit).options.map((type) => ({ type })),
    stopWhen: () => ++expanded > maxStates,
  }) as unknown as Record<string, { state: unknown; transitions: Record<string, { state: unknown }> }>;
  const places = Object.values(adjacency);
  const edges = places.flatMap(({ transitions }) =>
    Object.values(transitions).map(({ state }) => state as Visit),
  );
  const paths = edges.filter((visited) => {
    const known = adjacency[visited.key]!;
    return (known.state as Visit).path !== visited.path || Object.keys(known.transitions).length === 0;
  });
  return {
    scenario,
    paths: paths.map(({ path }) => path),
    states: places.length,
    edges: edges.length,
    isComplete: expanded <= maxStates,
    differences,
  };
}
