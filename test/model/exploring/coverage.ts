import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { leavesOf, transitionsOf } from './chart.js';

type Snapshot = { _nodes: AnyStateNode[]; context: unknown };

interface Microstep {
  type: string;
  event: { type: string };
  snapshot: Snapshot;
  _transitions: AnyTransitionDefinition[];
}

/** What was reached in each machine that is watched: transitions taken, and events that met a state. */
export class Coverage {
  readonly #keys = new Map<AnyTransitionDefinition, string>();
  /** Transitions taken, and how often. */
  readonly taken = new Map<string, number>();
  /** States entered, and how often something happened in them. */
  readonly visited = new Map<string, number>();
  /** `state × event × circumstance`, and how often that came together. */
  readonly met = new Map<string, number>();
  /** The transitions taken since somebody emptied it. */
  readonly recent = new Set<string>();

  /** The same machine, watched. `labelOf` names the circumstance its pairs are counted under. */
  watch<TMachine extends AnyStateMachine>(
    name: string,
    machine: TMachine,
    labelOf: (snapshot: Snapshot) => string = () => '',
  ): TMachine {
    for (const [key, transition] of transitionsOf(name, machine)) this.#keys.set(transition, key);
    const watched = Object.create(machine) as TMachine;
    let current: Snapshot | undefined;
    const inspect = (step: Microstep): void => {
      if (step.type !== '@xstate.microstep') return;
      for (const transition of step._transitions) this.#note(transition);
      const isEventless = step._transitions.some(({ eventType }) => eventType === '');
      if (current && !isEventless) this.#meet(name, current, step.event.type, labelOf(current));
      current = step.snapshot;
      for (const { id } of leavesOf(current)) count(this.visited, `${name} ${id}`);
    };
    watched.getInitialSnapshot = (scope, input) => {
      current = undefined;
      return machine.getInitialSnapshot(inspecting(scope, inspect), input);
    };
    watched.transition = (snapshot, event, scope) => {
      current = snapshot;
      return machine.transition(snapshot, event, inspecting(scope, inspect));
    };
    return watched;
  }

  #note(transition: AnyTransitionDefinition): void {
    const key = this.#keys.get(transition);
    if (key === undefined) return;
    count(this.taken, key);
    this.recent.add(key);
  }

  #meet(name: string, snapshot: Snapshot, event: string, label: string): void {
    for (const { id } of leavesOf(snapshot)) {
      const pair = `${name} ${id} × ${childless(event)}`;
      count(this.met, pair);
      if (label !== '') count(this.met, pair + label);
    }
  }
}

/** Containers are children by their own id. */
function childless(event: string): string {
  return event.replace(/^(xstate\.(?:done|error)\.actor)\.(?:zzzzz|launch)-.*$/, '$1.*');
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** XState's inspection of one machine alone, at the price of one object for each event. */
function inspecting<TScope>(scope: TScope, inspect: (step: Microstep) => void): TScope {
  const { system } = scope as unknown as { system: object };
  const inspected = Object.assign(Object.create(system) as object, { _sendInspectionEvent: inspect });
  return { ...scope, system: inspected };
}
