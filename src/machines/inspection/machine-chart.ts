import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { connectionMachine } from '../connection.js';
import { dispatcherMachine } from '../dispatcher.js';
import { leadershipMachine } from '../leadership.js';
import { circuitBreakerMachine } from '../circuit-breaker.js';
import { launchMachine } from '../launch.js';
import { runnerMachine } from '../runner.js';
import { supervisorMachine } from '../supervisor.js';
import { workerMachine } from '../worker.js';

/** Every statechart of the daemon, by the name people use. */
export const machines: Readonly<Record<string, AnyStateMachine>> = {
  worker: workerMachine,
  runner: runnerMachine,
  supervisor: supervisorMachine,
  launch: launchMachine,
  connection: connectionMachine,
  dispatcher: dispatcherMachine,
  leadership: leadershipMachine,
  'circuit-breaker': circuitBreakerMachine,
};

/** The chart as the daemon runs it. Throws, naming the charts there are, for a name that is none. */
export function machineChart(name: string, format: 'mermaid' | 'json'): string {
  const machine = Object.hasOwn(machines, name) ? machines[name] : undefined;
  if (!machine) throw new Error(`there is no machine "${name}": use ${Object.keys(machines).join(', ')}`);
  if (format === 'json') return JSON.stringify(machine.definition, null, 2);
  return ['stateDiagram-v2', ...drawInside(machine.root, '  ')].join('\n');
}

function drawInside(node: AnyStateNode, indent: string): string[] {
  const children = Object.values(node.states);
  const lines: string[] = [];
  children.forEach((child, index) => {
    const inner = drawInside(child, `${indent}  `);
    if (inner.length > 0)
      lines.push(`${indent}state "${child.key}" as ${idOf(child)} {`, ...inner, `${indent}}`);
    else lines.push(`${indent}state "${child.key}" as ${idOf(child)}`);
    if (node.type === 'parallel' && index < children.length - 1) lines.push(`${indent}--`);
  });
  if (node.type === 'compound' && node.initial.target[0]) {
    lines.push(`${indent}[*] --> ${idOf(node.initial.target[0])}`);
  }
  for (const child of children) lines.push(...drawTransitions(child, indent));
  return lines;
}

function drawTransitions(node: AnyStateNode, indent: string): string[] {
  const lines: string[] = [];
  for (const transitions of [...node.transitions.values(), node.always ?? []]) {
    for (const { target, eventType, guard } of transitions as AnyTransitionDefinition[]) {
      for (const each of target ?? []) {
        lines.push(`${indent}${idOf(node)} --> ${idOf(each)}: ${transitionLabel(String(eventType), guard)}`);
      }
    }
  }
  if (node.type === 'final') lines.push(`${indent}${idOf(node)} --> [*]`);
  return lines;
}

function idOf(node: AnyStateNode): string {
  return node.path.length === 0 ? node.machine.id : node.path.join('_');
}

/** A transition in a few words: its event, and its guard in brackets. */
export function transitionLabel(eventType: string, guard: unknown): string {
  const event = eventType
    .replace(/^xstate\.after\.(\w+)\..*$/, 'after $1')
    .replace(/^xstate\.done\.actor\./, 'done ')
    .replace(/^xstate\.error\.actor\./, 'error ')
    .replaceAll(':', ' ');
  const name = typeof guard === 'string' ? guard : (guard as { type?: string } | undefined)?.type;
  return [event || 'always', name === undefined ? '' : `[${name}]`].filter((part) => part !== '').join(' ');
}
