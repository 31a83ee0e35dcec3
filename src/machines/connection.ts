import { assign, emit, fromPromise, setup } from 'xstate';

/** What the chart does with the network; the executor supplies it. */
export interface ConnectionPort {
  /** TCP, handshake and login. Rejects with the reason. */
  openConnection(signal: AbortSignal): Promise<void>;
  /** Decides whether the host is the one that was asked for. Rejects with the reason. */
  verify(signal: AbortSignal): Promise<void>;
  /** Hangs up what is open, if anything. */
  drop(): void;
}

export interface ConnectionInput {
  port: ConnectionPort;
  firstBackOffMs: number;
  longestBackOffMs: number;
}

interface ConnectionContext extends ConnectionInput {
  failures: number;
  isWanted: boolean;
}

export type ConnectionEvent =
  /** A command waits for the connection. */
  | { type: 'connect.wanted' }
  /** The peer hung up. */
  | { type: 'lost' }
  | { type: 'close' };

export type ConnectionFact =
  | { type: 'connection.established' }
  | { type: 'connection.ready' }
  | { type: 'connection.failed'; error: unknown };

const connectionSetup = setup({
  types: {
    context: {} as ConnectionContext,
    input: {} as ConnectionInput,
    events: {} as ConnectionEvent,
    emitted: {} as ConnectionFact,
  },
  actors: {
    open: fromPromise<void, ConnectionPort>(({ input, signal }) => input.openConnection(signal)),
    verify: fromPromise<void, ConnectionPort>(({ input, signal }) => input.verify(signal)),
  },
  guards: { isWanted: ({ context }) => context.isWanted },
  actions: {
    drop: ({ context }) => context.port.drop(),
    noteWanted: assign({ isWanted: true }),
    noteServed: assign({ isWanted: false }),
    noteFailure: assign(({ context }) => ({ failures: context.failures + 1, isWanted: false })),
    noteSuccess: assign({ failures: 0, isWanted: false }),
    announceEstablished: emit({ type: 'connection.established' }),
    announceReady: emit({ type: 'connection.ready' }),
    announceFailure: emit((_, params: { error: unknown }) => ({
      type: 'connection.failed' as const,
      error: params.error,
    })),
  },
  delays: {
    backOff: ({ context }) =>
      Math.min(context.longestBackOffMs, context.firstBackOffMs * 2 ** Math.max(0, context.failures - 1)),
  },
});

/**
 * One SSH connection, made when a command wants it (X-1, X-4..X-11). Both steps of connecting have a deadline of their
 * own, set by those who carry them out.
 */
export const connectionMachine = connectionSetup.createMachine({
  id: 'connection',
  description: 'One SSH connection.',
  context: ({ input }) => ({ ...input, failures: 0, isWanted: false }),
  initial: 'closed',
  on: { close: '.ended' },
  states: {
    closed: {
      description: 'No connection, and nobody asked for one. Ends when a command does.',
      on: { 'connect.wanted': 'connecting', lost: {} },
    },
    connecting: {
      description: 'TCP, handshake and login are under way. Ends with their success or failure (X-4).',
      entry: 'noteServed',
      invoke: {
        id: 'open',
        src: 'open',
        input: ({ context }) => context.port,
        onDone: { target: 'verifying', actions: 'announceEstablished' },
        onError: {
          target: 'backingOff',
          actions: [
            'noteFailure',
            'drop',
            { type: 'announceFailure', params: ({ event }) => ({ error: event.error }) },
          ],
        },
      },
      on: { 'connect.wanted': {}, lost: {} },
    },
    verifying: {
      description:
        'Logged in; whether the host is the right one is being found out. No command is sent before (X-5, X-6).',
      invoke: {
        id: 'verify',
        src: 'verify',
        input: ({ context }) => context.port,
        onDone: { target: 'ready', actions: ['noteSuccess', 'announceReady'] },
        onError: {
          target: 'backingOff',
          actions: [
            'noteFailure',
            'drop',
            { type: 'announceFailure', params: ({ event }) => ({ error: event.error }) },
          ],
        },
      },
      on: { 'connect.wanted': {}, lost: {} },
    },
    ready: {
      description: 'The host is proven; commands flow. Ends when the peer hangs up.',
      on: { 'connect.wanted': {}, lost: { target: 'closed', actions: 'drop' } },
    },
    backingOff: {
      description: 'The last attempt failed. Ends after a pause that grows with each failure.',
      after: { backOff: [{ guard: 'isWanted', target: 'connecting' }, { target: 'closed' }] },
      on: { 'connect.wanted': { actions: 'noteWanted' }, lost: {} },
    },
    ended: {
      description: 'Closed for good; later commands are refused (X-11).',
      type: 'final',
      entry: 'drop',
    },
  },
});
