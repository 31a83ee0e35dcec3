import { createInspector } from '@statelyai/inspect';
import type { AnyActorRef, EventObject, InspectionEvent, Observer, StateValue } from 'xstate';
import { workerMachine } from '../machines/worker.js';
import type { Replay, ReplayedStep } from '../journal/replay/replay.js';
import { startViewerServer } from './viewer-server.js';
import { writerWithout } from './without-secrets.js';

/** Shows the recorded steps of a worker in the Stately inspector, as if they happened now. */
export interface ReplayInspector {
  url: string;
  /** Goes to the step with this index; going forward also shows the steps between. */
  show(index: number): void;
  /** Resolves when the last viewer has disconnected. */
  left: Promise<void>;
  close(): Promise<void>;
}

interface Moment {
  event: EventObject;
  snapshot: { status: string; value: StateValue; context: Readonly<Record<string, unknown>> };
}

/**
 * Starts the inspector on loopback; port 0 is assigned by the system. A new viewer receives the worker before the first
 * step, and each step up to the shown one. Rejects with `InspectError` when the port is not available.
 */
export async function startReplayInspector(
  { instance, steps }: Replay,
  port: number,
  warn: (what: string) => void,
): Promise<ReplayInspector> {
  const [beginning, ...moments] = momentsOf(steps);
  const write = writerWithout([], warn);
  // With the id as the name, the inspector would show the chart's name.
  const sessionId = `replay of ${instance}`;
  const worker = {
    id: instance,
    sessionId,
    logic: workerMachine,
    getSnapshot: () => beginning!.snapshot,
  };
  const common = { actorRef: worker as unknown as AnyActorRef, rootId: sessionId };
  const sendMoment = (inspect: Observer<InspectionEvent>, { event, snapshot }: Moment): void => {
    inspect.next?.({ ...common, type: '@xstate.event', sourceRef: undefined, event });
    inspect.next?.({ ...common, type: '@xstate.snapshot', event, snapshot: snapshot as never });
  };
  let shown = -1;
  let hasGone = (): void => {};
  const left = new Promise<void>((resolve) => (hasGone = resolve));
  const server = await startViewerServer({
    port,
    warn,
    joined: (send) => {
      const { inspect } = createInspector({ send: (message) => send(write(message)) });
      inspect.next?.({ ...common, type: '@xstate.actor' });
      for (const moment of moments.slice(0, shown + 1)) sendMoment(inspect, moment);
    },
    parted: (others) => {
      if (others === 0) hasGone();
    },
  });
  const { inspect } = createInspector({ send: (message) => server.send(write(message)) });
  return {
    url: server.url,
    left,
    show: (index) => {
      const from = index > shown ? shown + 1 : index;
      shown = index;
      for (const moment of moments.slice(from, index + 1)) sendMoment(inspect, moment);
    },
    close: () => server.close(),
  };
}

/** Snapshots of the worker before the first step, and after each. */
function momentsOf(steps: readonly ReplayedStep[]): Moment[] {
  const [first] = steps;
  let context: Record<string, unknown> = {};
  const beginning = { event: { type: 'xstate.init' }, snapshot: snapshotOf(first?.before ?? [], context) };
  return [
    beginning,
    ...steps.map(({ event, after, facts }) => {
      const known = Object.entries({ ...context, ...facts }).filter(([, value]) => value !== null);
      context = Object.fromEntries(known);
      return { event, snapshot: snapshotOf(after, context) };
    }),
  ];
}

function snapshotOf(
  active: readonly string[],
  context: Readonly<Record<string, unknown>>,
): Moment['snapshot'] {
  return {
    status: active.includes('lifecycle.gone') ? 'done' : 'active',
    value: stateValueOf(active),
    context,
  };
}

/** The paths of active states, outer ones included, as XState writes them: `a`, `a.b`, `c`, `c.d` is `{a: 'b', c: 'd'}`. */
export function stateValueOf(active: readonly string[]): StateValue {
  const top = active.filter((path) => !path.includes('.'));
  const inner = (name: string): StateValue =>
    stateValueOf(
      active.filter((path) => path.startsWith(`${name}.`)).map((path) => path.slice(name.length + 1)),
    );
  const isLeaf = (name: string): boolean => !active.some((path) => path.startsWith(`${name}.`));
  if (top.length === 1 && isLeaf(top[0]!)) return top[0]!;
  return Object.fromEntries(top.map((name) => [name, isLeaf(name) ? {} : inner(name)]));
}
