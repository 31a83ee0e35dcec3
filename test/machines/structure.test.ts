import { describe, expect, it } from 'vitest';
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { machines } from '../../src/machines/inspection/machine-chart.js';

function nodesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesOf)];
}

/** Everything the configuration of a state names, by what it is. */
function namesIn(node: AnyStateNode): { kind: 'actions' | 'guards' | 'actors' | 'delays'; name: unknown }[] {
  const transitions = [...node.transitions.values(), node.always ?? []].flat();
  const typeOf = (item: unknown): unknown =>
    typeof item === 'object' && item ? (item as { type: unknown }).type : item;
  return [
    ...[...node.entry, ...node.exit, ...transitions.flatMap(({ actions }) => actions)]
      // XState itself puts these there for `after`.
      .filter((action) => typeof action !== 'function' || !('resolve' in action))
      .map((action) => ({ kind: 'actions' as const, name: typeOf(action) })),
    ...transitions.flatMap(({ guard }) => (guard ? [{ kind: 'guards' as const, name: typeOf(guard) }] : [])),
    ...node.invoke.map(({ src }) => ({ kind: 'actors' as const, name: src })),
    ...Object.keys(node.config.after ?? {}).map((name) => ({ kind: 'delays' as const, name })),
  ];
}

/** What can be reached when every guard may let pass. */
function reachable(machine: AnyStateMachine): Set<AnyStateNode> {
  const seen = new Set<AnyStateNode>();
  const enter = (node: AnyStateNode): void => {
    for (let above = node.parent; above; above = above.parent) enterOne(above);
    enterOne(node);
    if (node.type === 'parallel') Object.values(node.states).forEach(enter);
    if (node.type === 'compound') node.initial.target.forEach((target) => enter(target as AnyStateNode));
  };
  const enterOne = (node: AnyStateNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    for (const { target } of [...node.transitions.values(), node.always ?? []].flat()) target?.forEach(enter);
    if (node.parent?.type === 'parallel') Object.values(node.parent.states).forEach(enter);
  };
  enter(machine.root);
  return seen;
}

describe.each(Object.entries(machines))('the chart of the %s', (_name, machine) => {
  const nodes = nodesOf(machine.root);

  it('describes every state', () => {
    const silent = nodes
      .filter(({ description, config }) => !(description ?? config.description))
      .map(({ id }) => id);
    expect(silent).toEqual([]);
  });

  it('gives every effect an id and a way out of its failure', () => {
    for (const node of nodes) {
      for (const invoke of [node.config.invoke ?? []].flat()) {
        expect([node.id, invoke.id]).toEqual([node.id, expect.any(String)]);
        expect([node.id, invoke.onError !== undefined]).toEqual([node.id, true]);
      }
    }
  });

  it('uses names only, each with something behind it', () => {
    const known = machine.implementations as unknown as Record<string, Record<string, unknown>>;
    for (const node of nodes) {
      for (const { kind, name: used } of namesIn(node)) {
        expect([node.id, kind, typeof used]).toEqual([node.id, kind, 'string']);
        expect([node.id, kind, used, Object.hasOwn(known[kind] ?? {}, used as string)]).toEqual([
          node.id,
          kind,
          used,
          true,
        ]);
      }
    }
  });

  it('can reach every state', () => {
    const all = reachable(machine);
    expect(nodes.filter((node) => !all.has(node)).map(({ id }) => id)).toEqual([]);
  });
});
