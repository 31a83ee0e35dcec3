import { createInspector } from '@statelyai/inspect';
import type { AnyActorRef, InspectionEvent, Observer } from 'xstate';
import { isChosen, type InspectChoice } from './inspect-choice.js';
import { startViewerServer } from './viewer-server.js';
import { writerWithout } from './without-secrets.js';

export interface LiveInspectorOptions {
  choice: InspectChoice;
  /** On loopback; 0: the system chooses. */
  port: number;
  /** What must never be shown, beside all that is secret by its name. */
  secrets: readonly string[];
  /** Something went wrong that is of no matter to the daemon; a sentence without its full stop. */
  warn(what: string): void;
}

/** Shows workers as they live to the Stately inspector, or to any program that reads its messages. */
export interface LiveInspector {
  url: string;
  /** For XState's option `inspect`; `undefined` for a worker that was not chosen. */
  observerOf(instanceId: string, typeName: string): Observer<InspectionEvent> | undefined;
  close(): Promise<void>;
}

const shown: ReadonlySet<string> = new Set(['@xstate.actor', '@xstate.event', '@xstate.snapshot']);

/**
 * Starts it on loopback. A viewer is first told of each chosen worker and its actors as they are, then of every event and
 * snapshot. While nobody looks, nothing is written. Rejects with `InspectError` when the port cannot be had.
 */
export async function startLiveInspector(options: LiveInspectorOptions): Promise<LiveInspector> {
  const workers = new Map<string, AnyActorRef>();
  const write = writerWithout(options.secrets, options.warn);
  const server = await startViewerServer({
    port: options.port,
    warn: options.warn,
    joined: (tell) => {
      const { inspect } = createInspector({ send: (message) => tell(write(message)) });
      for (const worker of workers.values()) introduce(worker, worker.sessionId, inspect);
    },
  });
  const { inspect } = createInspector({ send: (message) => server.tell(write(message)) });
  const observer = (instanceId: string): Observer<InspectionEvent> => ({
    next: (event) => {
      const actor = event.actorRef as AnyActorRef;
      if (event.type === '@xstate.actor' && !actor._parent) workers.set(instanceId, actor);
      const isOver = event.type === '@xstate.snapshot' && (event.snapshot as Status).status !== 'active';
      if (isOver && workers.get(instanceId) === actor) workers.delete(instanceId);
      if (server.viewers() > 0 && shown.has(event.type)) inspect.next?.(event);
    },
  });
  return {
    url: server.url,
    observerOf: (instanceId, typeName) =>
      isChosen(options.choice, instanceId, typeName) ? observer(instanceId) : undefined,
    close: () => server.close(),
  };
}

interface Status {
  status?: string;
  children?: Readonly<Record<string, AnyActorRef | undefined>>;
}

/** The actor and those it holds, as if they began now. */
function introduce(actor: AnyActorRef, rootId: string, inspect: Observer<InspectionEvent>): void {
  const { status, children = {} } = actor.getSnapshot() as Status;
  if (status !== 'active') return;
  inspect.next?.({ type: '@xstate.actor', actorRef: actor, rootId });
  for (const child of Object.values(children)) if (child) introduce(child, rootId, inspect);
}
