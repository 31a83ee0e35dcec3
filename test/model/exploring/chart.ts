import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

export function nodesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesOf)];
}

export function isLeaf(node: AnyStateNode): boolean {
  return Object.keys(node.states).length === 0;
}

export function leavesOf({ _nodes }: { _nodes: AnyStateNode[] }): AnyStateNode[] {
  return _nodes.filter(isLeaf);
}

/** The state and all around it, innermost first. */
export function pathOf(node: AnyStateNode): AnyStateNode[] {
  return node.parent ? [node, ...pathOf(node.parent)] : [node];
}

/** The innermost region of parallel states the state belongs to, or the machine itself. */
export function regionOf(node: AnyStateNode): AnyStateNode {
  return pathOf(node).find(({ parent }) => !parent || parent.type === 'parallel')!;
}

/** Every transition of the machine under a name that says where it is written. */
export function transitionsOf(name: string, machine: AnyStateMachine): [string, AnyTransitionDefinition][] {
  return nodesOf(machine.root).flatMap((node) => {
    const own = [...node.transitions.entries(), ['always', node.always ?? []] as const];
    return own.flatMap(([event, transitions]) =>
      transitions.map((transition, index): [string, AnyTransitionDefinition] => [
        transitionKey(name, node, event, index),
        transition,
      ]),
    );
  });
}

export function transitionKey(name: string, node: AnyStateNode, event: string, index: number): string {
  return `${name}: ${node.path.join('.') || '(root)'} on ${eventName(event)} [${index}]`;
}

/** `after idleTimeout` for XState's own name of it. */
export function eventName(event: string): string {
  return event
    .replace(/^xstate\.after\.(\w+)\..*$/, 'after $1')
    .replace(/^xstate\.done\.actor\./, 'done ')
    .replace(/^xstate\.error\.actor\./, 'error ');
}

/** True for one that is written only to say that nothing is to be done. */
export function isIgnoring({ target, actions, guard }: AnyTransitionDefinition): boolean {
  return !target && actions.length === 0 && !guard;
}
