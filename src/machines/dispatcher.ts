import { fromPromise, setup } from 'xstate';

/** What the dispatcher's chart does with queue and pool. */
export interface DispatchPort {
  /** One scheduling pass and one sync, with their orders given (SC-10..SC-82, SY-1). */
  runPass(): void;
  /** Some worker is unknown, and some container is locked that is not known to run (FX-3). */
  mayHaveStaleLocks(): boolean;
  /** Unlocks what is stale now, judged anew (FX-4, FX-6). */
  unlockStale(): void;
  /** How long the last update of the queue took, ms. */
  lastFetchMs(): number;
  /** Shortest pause between two passes, ms: what happens meanwhile is seen by the next one. */
  passPauseMs(): number;
  /** Longest time without a pass, though nothing was heard, ms. */
  idlePassIntervalMs(): number;
  /** An update of the queue failed. */
  noteFetchFailure(error: unknown): void;
}

export interface DispatcherInput {
  port: DispatchPort;
  pollIntervalMs: number;
  staleLockTimeoutMs: number;
}

export type DispatcherEvent =
  /** Queue or pool changed; many at once come as one (SC-3). */
  | { type: 'world.changed' }
  /** An operation was refused because another is under way for the same container (UL-3). */
  | { type: 'operation.refused' }
  | { type: 'stop' };

const fetchQueue = fromPromise<void>(() => Promise.reject(new Error('effect "fetchQueue" was not provided')));
const poolLoaded = fromPromise<void>(() => Promise.reject(new Error('effect "poolLoaded" was not provided')));

const dispatcherSetup = setup({
  types: {
    context: {} as DispatcherInput,
    input: {} as DispatcherInput,
    events: {} as DispatcherEvent,
  },
  actors: { fetchQueue, poolLoaded },
  guards: {
    mayHaveStaleLocks: ({ context }) => context.port.mayHaveStaleLocks(),
    hasNoStaleLocks: ({ context }) => !context.port.mayHaveStaleLocks(),
  },
  actions: {
    runPass: ({ context }) => context.port.runPass(),
    unlockStale: ({ context }) => context.port.unlockStale(),
    noteFetchFailure: ({ context }, params: { error: unknown }) =>
      context.port.noteFetchFailure(params.error),
  },
  delays: {
    fetchRetry: ({ context }) => Math.max(1_000, context.pollIntervalMs / 10),
    pollInterval: ({ context }) => Math.max(context.pollIntervalMs, context.port.lastFetchMs()),
    staleLockTimeout: ({ context }) => context.staleLockTimeoutMs,
    operationRetry: 250,
    idlePassInterval: ({ context }) => context.port.idlePassIntervalMs(),
    passPause: ({ context }) => context.port.passPauseMs(),
  },
});

/**
 * Matches containers with instances (SC-1..SC-6): fetches the queue, clears the locks an earlier process left, then
 * plans again whenever queue or pool changed.
 */
export const dispatcherMachine = dispatcherSetup.createMachine({
  id: 'dispatcher',
  description: 'The loop that matches containers with instances.',
  context: ({ input }) => input,
  initial: 'fetching',
  // What changes while a pass is on its way anyway is seen by that one.
  on: { stop: '.stopped', 'world.changed': {}, 'operation.refused': {} },
  states: {
    fetching: {
      description: 'The queue is being read for the first time. Nothing is decided before (SC-1).',
      invoke: {
        id: 'firstFetch',
        src: 'fetchQueue',
        onDone: 'loadingPool',
        onError: {
          target: 'fetchPausing',
          actions: { type: 'noteFetchFailure', params: ({ event }) => ({ error: event.error }) },
        },
      },
    },
    fetchPausing: {
      description: 'The queue could not be read. Ends with a new try after a while.',
      after: { fetchRetry: 'fetching' },
    },
    loadingPool: {
      description:
        'Waits for the first list of instances (SC-91). The supervisor retries that list by itself.',
      invoke: { id: 'poolLoaded', src: 'poolLoaded', onDone: 'fixingLocks', onError: 'fixingLocks' },
    },
    fixingLocks: {
      description:
        'Containers are locked that may run on workers not heard of yet. Ends when that is settled, which is looked at with every event, or it took too long (FX-1..FX-6).',
      always: { guard: 'hasNoStaleLocks', target: 'working' },
      after: { staleLockTimeout: { target: 'working', actions: 'unlockStale' } },
    },
    working: {
      description: 'In service. Ends with the order to stop.',
      type: 'parallel',
      states: {
        queue: {
          description: 'Reads the queue again and again, never twice at a time (SC-2, Q-10).',
          initial: 'resting',
          states: {
            resting: {
              description:
                'Ends with the poll interval, and not before as much time passed as the last update took: a slow server rests half of the time (SC-2).',
              after: { pollInterval: 'updating' },
            },
            updating: {
              description: 'The queue is being read.',
              invoke: {
                id: 'fetchQueue',
                src: 'fetchQueue',
                onDone: 'resting',
                onError: {
                  target: 'resting',
                  actions: { type: 'noteFetchFailure', params: ({ event }) => ({ error: event.error }) },
                },
              },
            },
          },
        },
        pass: {
          description: 'Plans whenever something changed (SC-3).',
          initial: 'planning',
          states: {
            planning: {
              description: 'One pass, done on entry. What changes from now on is for the next one.',
              entry: 'runPass',
              after: { passPause: 'waiting' },
              on: { 'world.changed': 'changed', 'operation.refused': 'retrying' },
            },
            changed: {
              description: 'Something changed since the last pass. Ends with the next one, very soon.',
              after: { passPause: 'planning' },
            },
            waiting: {
              description: 'All is decided. Ends when something changes, or after a while (SC-4).',
              after: { idlePassInterval: 'planning' },
              on: { 'world.changed': 'planning', 'operation.refused': 'retrying' },
            },
            retrying: {
              description:
                'An operation had to wait for another one. Ends with a pass shortly (UL-3), never at once: a pass that changes something would follow itself for ever.',
              after: { operationRetry: 'planning' },
              on: { 'world.changed': 'changed' },
            },
          },
        },
      },
    },
    stopped: {
      description: 'No decision is made any more (SC-5).',
      type: 'final',
    },
  },
});
