import { WebSocket, type ClientOptions } from 'ws';

/** A message of the inspector as a viewer gets it. */
export interface Shown {
  type: '@xstate.actor' | '@xstate.event' | '@xstate.snapshot';
  name?: string;
  sessionId: string;
  rootId?: string;
  parentId?: string;
  definition?: string;
  event?: { type: string; [field: string]: unknown };
  snapshot?: { status?: string; value?: unknown; context?: Record<string, unknown> };
}

/** Somebody who looks through the inspector. */
export class Viewer {
  readonly shown: Shown[] = [];
  readonly texts: string[] = [];
  readonly socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      this.texts.push(data.toString());
      this.shown.push(JSON.parse(data.toString()) as Shown);
    });
  }

  /** Rejects with the status the server refused with. */
  static join(url: string, options: ClientOptions = {}): Promise<Viewer> {
    const viewer = new Viewer(new WebSocket(url.replace(/^http/, 'ws'), options));
    return new Promise((resolve, reject) => {
      viewer.socket.once('open', () => resolve(viewer));
      viewer.socket.once('error', reject);
    });
  }

  /** Names of the actors it was told of, in that order. */
  actors(): string[] {
    return this.shown.flatMap(({ type, name = '' }) => (type === '@xstate.actor' ? [name] : []));
  }

  /** Ids of the roots that any message was about. */
  roots(): Set<string | undefined> {
    return new Set(this.shown.map(({ rootId }) => rootId));
  }

  /** Types of the events that one actor took. */
  eventsOf(name: string): string[] {
    const sessions = this.shown.flatMap((each) => (each.name === name ? [each.sessionId] : []));
    return this.shown.flatMap(({ type, sessionId, event }) =>
      type === '@xstate.event' && sessions.includes(sessionId) ? [event!.type] : [],
    );
  }

  /** The last state of one region that a snapshot of that actor showed. */
  stateOf(name: string, region: string): unknown {
    const sessions = this.shown.flatMap((each) => (each.name === name ? [each.sessionId] : []));
    const last = this.shown.findLast(
      ({ type, sessionId }) => type !== '@xstate.event' && sessions.includes(sessionId),
    );
    return (last?.snapshot?.value as Record<string, unknown> | undefined)?.[region];
  }

  leave(): void {
    this.socket.terminate();
  }
}
