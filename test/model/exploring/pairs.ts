import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { eventName, isIgnoring, isLeaf, nodesOf, pathOf, regionOf } from './chart.js';

/** Events that a state leaves alone, or that cannot come there, with the reason. Patterns match the whole text. */
export interface PairRule {
  /** Of the states' paths. */
  states: RegExp;
  /** Of the events' names. */
  events: RegExp;
  /** Of the circumstance, such as the idle behavior; all when left out. */
  circumstances?: RegExp;
  because: string;
}

/** What the author of a machine says of the pairs its chart is silent about. */
export interface PairRules {
  /** The event may come, and nothing is to be done. */
  ignored: readonly PairRule[];
  /** The event cannot come there. */
  impossible: readonly PairRule[];
}

export type PairFate = 'handled' | 'ignored' | 'listed' | 'impossible' | 'undecided';

export interface Pair {
  machine: string;
  state: string;
  event: string;
  circumstance: string;
  fate: PairFate;
  /** As coverage counts it. */
  key: string;
}

/** Circumstances that multiply the pairs of some states. */
export interface Circumstances {
  states: RegExp;
  values: readonly string[];
}

/**
 * Every leaf state in which the machine can rest, with every event that its region, or a state around it, knows at all. Answers and timers belong to
 * the states that wait for them and cannot come elsewhere.
 */
export function pairsOf(
  name: string,
  machine: AnyStateMachine,
  circumstances: Circumstances | undefined,
  { ignored, impossible }: PairRules,
): Pair[] {
  return nodesOf(machine.root)
    .filter((node) => isLeaf(node) && canRest(node))
    .flatMap((leaf) =>
      eventsFor(leaf).flatMap((event) =>
        circumstancesOf(leaf, circumstances).map((circumstance): Pair => {
          const pair = { state: leaf.path.join('.'), event: eventName(event), circumstance };
          const label = circumstance === '' ? '' : ` × ${circumstance}`;
          const fate = fits(impossible, pair)
            ? 'impossible'
            : (writtenFate(leaf, event) ?? (fits(ignored, pair) ? 'listed' : 'undecided'));
          return { machine: name, ...pair, fate, key: `${name} ${leaf.id} × ${event}${label}` };
        }),
      ),
    );
}

/** Rules that no pair needs any more. */
export function staleRules(
  name: string,
  machine: AnyStateMachine,
  circumstances: Circumstances | undefined,
  rules: PairRules,
): string[] {
  const pairs = pairsOf(name, machine, circumstances, { ignored: [], impossible: [] });
  const isUsed = (rule: PairRule, fates: readonly PairFate[]): boolean =>
    pairs.some((pair) => fates.includes(pair.fate) && fits([rule], pair));
  return [
    ...rules.ignored.filter((rule) => !isUsed(rule, ['undecided'])),
    ...rules.impossible.filter((rule) => !isUsed(rule, ['undecided', 'handled', 'ignored'])),
  ].map(({ states, events }) => `${String(states)} × ${String(events)}`);
}

/** Not in a state that is left at once whatever happens, nor in a final one. */
function canRest({ type, always }: AnyStateNode): boolean {
  return type !== 'final' && !(always ?? []).some(({ guard }) => guard === undefined);
}

function circumstancesOf(leaf: AnyStateNode, circumstances: Circumstances | undefined): readonly string[] {
  if (!circumstances || !whole(circumstances.states, leaf.path.join('.'))) return [''];
  return circumstances.values;
}

function eventsFor(leaf: AnyStateNode): string[] {
  const around = pathOf(leaf);
  const own = new Set(around.flatMap((node) => [...node.transitions.keys()]));
  const known = nodesOf(regionOf(leaf)).flatMap((node) => [...node.transitions.keys()]);
  return [...new Set([...own, ...known.filter((event) => !event.startsWith('xstate.'))])];
}

/** What the chart says: the innermost state that knows the event speaks. */
function writtenFate(leaf: AnyStateNode, event: string): 'handled' | 'ignored' | undefined {
  for (const node of pathOf(leaf)) {
    const transitions = node.transitions.get(event);
    if (transitions) return transitions.every(isIgnoring) ? 'ignored' : 'handled';
  }
  return undefined;
}

function fits(rules: readonly PairRule[], pair: Pick<Pair, 'state' | 'event' | 'circumstance'>): boolean {
  return rules.some(
    ({ states, events, circumstances }) =>
      whole(states, pair.state) &&
      whole(events, pair.event) &&
      (circumstances === undefined || whole(circumstances, pair.circumstance)),
  );
}

function whole(pattern: RegExp, text: string): boolean {
  return new RegExp(`^(?:${pattern.source})$`).test(text);
}
