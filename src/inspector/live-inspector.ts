import { createInspector } from '@statelyai/inspect';
import type { AnyActorRef, InspectionEvent, Observer } from 'xstate';
import { isChosen, type InspectChoice } from './inspect-choice.js';
import { startViewerServer } from './viewer-server.js';
import { writerWithout } from './without-secrets.js';

export interface LiveInspectorOptions {
  choice: InspectChoice;
  /** On loopback; 0: assigned by the system. */
  port: number;
  /** Texts that are never shown, in addition to values with secret names. */
  secrets: readonly string[];
  /** Called for a problem that does not affect the daemon; a sentence without its full stop. */
  warn(what: string): void;
}

/** Shows live workers in the Stately inspector, or in any program that reads its messages. */
export interface LiveInspector {
  url: string;
  /** Value of XState's option `inspect`; `undefined` for a worker that was not chosen. */
  observerOf(instanceId: string, typeName: string): Observer<InspectionEvent> | undefined;
  close(): Promise<void>;
}

const shown: ReadonlySet<string> = new Set(['@xstate.actor', '@xstate.event', '@xstate.snapshot']);

/**
 * Starts the inspector on loopback. A viewer first receives each chosen worker with its actors, then every event and
 * snapshot. Without viewers nothing is written. Rejects with `InspectError` when the port is not available.
 */
export async function startLiveInspector(options: LiveInspectorOptions): Promise<LiveInspector> {
  const workers = new Map<string, AnyActorRef>();
  const write = writerWithout(options.secrets, options.warn);
  const server = await startViewerServer({
    port: options.port,
    warn: options.warn,
    joined: (send) => {
      const { inspect } = createInspector({ send: (message) => send(write(message)) });
      for (const worker of workers.values()) introduce(worker, worker.sessionId, inspect);
    },
  });
  const { inspect } = createInspector({ send: (message) => server.send(write(message)) });
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

/** Reports the actor and its children as if they began now. */
function introduce(actor: AnyActorRef, rootId: string, inspect: Observer<InspectionEvent>): void {
  const { status, children = {} } = actor.getSnapshot() as Status;
  if (status !== 'active') return;
  inspect.next?.({ type: '@xstate.actor', actorRef: actor, rootId });
  for (const child of Object.values(children)) if (child) introduce(child, rootId, inspect);
}
