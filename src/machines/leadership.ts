import { fromPromise, setup } from 'xstate';

/** What a look at the lease showed. */
export type Sighting =
  /** Nobody leads. */
  | 'free'
  /** The leader gave a sign of life since the last look. */
  | 'alive'
  /** It gave none. */
  | 'silent';

/** What the leadership's chart does with the store and the rest of the daemon. */
export interface LeadershipPort {
  /** Reaches the store and makes its tables ready. */
  prepare(): Promise<void>;
  look(): Promise<Sighting>;
  /** Takes the lease over as it was seen last. False: it was not to be had. */
  claim(): Promise<boolean>;
  /** False: another leads. */
  renew(): Promise<boolean>;
  /** Leads until the signal aborts; everything it began has stopped then. */
  reign(signal: AbortSignal): Promise<void>;
  resign(): Promise<void>;
  /** The store could not be asked, or leading failed. */
  noteFault(error: unknown): void;
  /** Leading ended, or is about to. */
  noteEnd(because: string): void;
}

export interface LeadershipInput {
  port: LeadershipPort;
  /** Between two tries to reach the store. */
  retryMs: number;
  /** Between two looks of a standby, and between two signs of life of the leader. */
  beatMs: number;
  /** The leader stops by itself when it could not give a sign of life for this long. */
  leaseMs: number;
  /** A standby takes over from a leader that it saw no sign of life from for this long; longer than the lease. */
  takeOverMs: number;
}

type LeadershipEvent = { type: 'stop' };

const prepare = fromPromise<void, LeadershipPort>(({ input }) => input.prepare());
const look = fromPromise<Sighting, LeadershipPort>(({ input }) => input.look());
const claim = fromPromise<boolean, LeadershipPort>(({ input }) => input.claim());
const renew = fromPromise<boolean, LeadershipPort>(({ input }) => input.renew());
const reign = fromPromise<void, LeadershipPort>(({ input, signal }) => input.reign(signal));
const resign = fromPromise<void, LeadershipPort>(({ input }) => input.resign());

const leadershipSetup = setup({
  types: {
    context: {} as LeadershipInput,
    input: {} as LeadershipInput,
    events: {} as LeadershipEvent,
  },
  actors: { prepare, look, claim, renew, reign, resign },
  guards: {
    isFree: (_, params: { sighting: Sighting }) => params.sighting === 'free',
    isAlive: (_, params: { sighting: Sighting }) => params.sighting === 'alive',
    succeeded: (_, params: { done: boolean }) => params.done,
  },
  actions: {
    noteFault: ({ context }, params: { error: unknown }) => context.port.noteFault(params.error),
    noteEnd: ({ context }, params: { because: string }) => context.port.noteEnd(params.because),
  },
  delays: {
    retry: ({ context }) => context.retryMs,
    beat: ({ context }) => context.beatMs,
    lease: ({ context }) => context.leaseMs,
    takeOver: ({ context }) => context.takeOverMs,
  },
});

/** Which of the daemons that share a store gives the orders. */
export const leadershipMachine = leadershipSetup.createMachine({
  id: 'leadership',
  description: 'Decides whether this daemon is the leader or a standby.',
  context: ({ input }) => input,
  initial: 'preparing',
  on: { stop: '.stopped' },
  states: {
    preparing: {
      description: 'The store is being reached and its tables made ready. Ends with success or a fault.',
      invoke: {
        id: 'prepare',
        src: 'prepare',
        input: ({ context }) => context.port,
        onDone: '#leadership.standingBy.looking',
        onError: {
          target: 'unreachable',
          actions: { type: 'noteFault', params: ({ event }) => ({ error: event.error }) },
        },
      },
    },
    unreachable: {
      description: 'The store does not answer, or not as it should. Ends with another try after a while.',
      after: { retry: 'preparing' },
    },
    standingBy: {
      description:
        'Another daemon leads. Entered anew with each of its signs of life; ends when nobody leads, or after too long without one.',
      initial: 'resting',
      after: { takeOver: 'claiming' },
      states: {
        looking: {
          description: 'The lease is being read.',
          invoke: {
            id: 'look',
            src: 'look',
            input: ({ context }) => context.port,
            onDone: [
              {
                guard: { type: 'isFree', params: ({ event }) => ({ sighting: event.output }) },
                target: '#leadership.claiming',
              },
              {
                guard: { type: 'isAlive', params: ({ event }) => ({ sighting: event.output }) },
                target: '#leadership.standingBy',
              },
              { target: 'resting' },
            ],
            onError: {
              target: 'resting',
              actions: { type: 'noteFault', params: ({ event }) => ({ error: event.error }) },
            },
          },
        },
        resting: {
          description: 'Ends with the next look.',
          after: { beat: 'looking' },
        },
      },
    },
    claiming: {
      description:
        'The lease is being taken over. Fails when its holder lives after all, or another was faster.',
      invoke: {
        id: 'claim',
        src: 'claim',
        input: ({ context }) => context.port,
        onDone: [
          {
            guard: { type: 'succeeded', params: ({ event }) => ({ done: event.output }) },
            target: 'leading',
          },
          { target: 'standingBy' },
        ],
        onError: {
          target: 'standingBy',
          actions: { type: 'noteFault', params: ({ event }) => ({ error: event.error }) },
        },
      },
    },
    leading: {
      description: 'This daemon gives the orders. Ends with the lease, or when the work cannot begin.',
      invoke: {
        id: 'reign',
        src: 'reign',
        input: ({ context }) => context.port,
        onDone: 'resigning',
        onError: {
          target: 'resigning',
          actions: { type: 'noteFault', params: ({ event }) => ({ error: event.error }) },
        },
      },
      initial: 'holding',
      states: {
        holding: {
          description:
            'The lease holds. Entered anew with each sign of life; ends when there is none for too long.',
          initial: 'resting',
          after: {
            lease: {
              target: '#leadership.standingBy',
              actions: {
                type: 'noteEnd',
                params: { because: 'the store did not take a sign of life in time' },
              },
            },
          },
          states: {
            resting: {
              description: 'Ends with the next sign of life.',
              after: { beat: 'renewing' },
            },
            renewing: {
              description: 'A sign of life is being given.',
              invoke: {
                id: 'renew',
                src: 'renew',
                input: ({ context }) => context.port,
                onDone: [
                  {
                    guard: { type: 'succeeded', params: ({ event }) => ({ done: event.output }) },
                    target: '#leadership.leading.holding',
                  },
                  {
                    target: '#leadership.standingBy',
                    actions: { type: 'noteEnd', params: { because: 'another daemon took over' } },
                  },
                ],
                onError: {
                  target: 'resting',
                  actions: { type: 'noteFault', params: ({ event }) => ({ error: event.error }) },
                },
              },
            },
          },
        },
      },
    },
    resigning: {
      description: 'The work could not go on here: another daemon may lead. Ends when the store heard of it.',
      entry: { type: 'noteEnd', params: { because: 'the work cannot go on here' } },
      invoke: {
        id: 'resign',
        src: 'resign',
        input: ({ context }) => context.port,
        onDone: 'unreachable',
        onError: {
          target: 'unreachable',
          actions: { type: 'noteFault', params: ({ event }) => ({ error: event.error }) },
        },
      },
    },
    stopped: {
      description: 'The daemon ends.',
      type: 'final',
    },
  },
});
