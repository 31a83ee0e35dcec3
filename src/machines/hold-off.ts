import { assign, emit, setup } from 'xstate';

/** Why and until when something is not asked for again. */
export interface HoldOffInput {
  /** How long a trial may stay without an answer before the next is allowed, ms. */
  trialTimeoutMs: number;
}

interface HoldOffContext extends HoldOffInput {
  heldForMs: number;
  because: string;
  /** The call whose answer decides; `''` while none does. */
  trial: string;
  /** Trials refused in a row, without one that succeeded between. */
  refusedTrials: number;
}

/** Why and for how long nothing is asked for. */
export interface HoldOffRefusal {
  forMs: number;
  /** Each refused trial doubles the time, up to this; not given: the time is as given. */
  longestMs?: number;
  because: string;
}

/** Answers name their call: calls overlap, and only the trial's answer closes the breaker. */
export type HoldOffEvent =
  /** The provider said no. */
  | ({ type: 'refused'; call: string } & HoldOffRefusal)
  /** A request is made. */
  | { type: 'tried'; call: string }
  | { type: 'succeeded'; call: string }
  /** The request came to nothing for another reason, so that it decides nothing. */
  | { type: 'abandoned'; call: string }
  /** What it is held for may be over: one request may show it. */
  | { type: 'eased' }
  /** An operator wants it open at once. */
  | { type: 'reset' };

/** Told when a hold-off ends, so that those who wait look again (W-45). */
export type HoldOffFact = { type: 'holdOff.opened' };

const holdOffSetup = setup({
  types: {
    context: {} as HoldOffContext,
    input: {} as HoldOffInput,
    events: {} as HoldOffEvent,
    emitted: {} as HoldOffFact,
  },
  guards: {
    /** Of calls that overlap, one decides. */
    isTrial: ({ context }, params: { call: string }) => context.trial === params.call,
  },
  actions: {
    noteRefusal: assign(({ context }, params: HoldOffRefusal) => ({
      heldForMs: holdMs(params, context.refusedTrials),
      because: params.because,
    })),
    noteRefusedTrial: assign(({ context }, params: HoldOffRefusal) => ({
      heldForMs: holdMs(params, context.refusedTrials + 1),
      because: params.because,
      refusedTrials: context.refusedTrials + 1,
    })),
    noteReason: assign((_, params: HoldOffRefusal) => ({ because: params.because })),
    noteTrial: assign((_, params: { call: string }) => ({ trial: params.call })),
    forgetRefusals: assign({ refusedTrials: 0 }),
    announceOpening: emit({ type: 'holdOff.opened' }),
  },
  delays: {
    holdTime: ({ context }) => context.heldForMs,
    trialTimeout: ({ context }) => context.trialTimeoutMs,
  },
});

function holdMs({ forMs, longestMs = 0 }: HoldOffRefusal, refusedTrials: number): number {
  return Math.max(forMs, Math.min(longestMs, forMs * 2 ** refusedTrials));
}

/**
 * A breaker: after a refusal nothing is asked for a time, then one request decides (L-15, L-19, K-10). One for each
 * key: an instance type, a quota group, the whole provider, or one kind of call. Calls that were begun before may be
 * answered in any of its states, and decide nothing but that it is held.
 */
export const holdOffMachine = holdOffSetup.createMachine({
  id: 'holdOff',
  description: 'Whether the provider may be asked.',
  context: ({ input }) => ({ ...input, heldForMs: 0, because: '', trial: '', refusedTrials: 0 }),
  initial: 'open',
  states: {
    open: {
      description: 'Requests are free. Ends with a refusal.',
      entry: 'forgetRefusals',
      on: {
        refused: { target: 'held', actions: { type: 'noteRefusal', params: ({ event }) => event } },
        tried: {},
        succeeded: {},
        abandoned: {},
        eased: {},
        reset: {},
      },
    },
    held: {
      description:
        'Nothing is asked for. A call begun before that succeeds now does not end it, and one that is refused now prolongs it. Ends with the time of the hold-off, when its cause may be over, or at an operator’s word.',
      after: { holdTime: { target: 'halfOpen', actions: 'announceOpening' } },
      on: {
        refused: {
          target: 'held',
          reenter: true,
          actions: { type: 'noteRefusal', params: ({ event }) => event },
        },
        tried: {},
        succeeded: {},
        abandoned: {},
        eased: { target: 'halfOpen', actions: 'announceOpening' },
        reset: { target: 'open', actions: 'announceOpening' },
      },
    },
    halfOpen: {
      description:
        'One request may be made; its answer decides. What was begun before can only hold it again. Ends when the request is made.',
      on: {
        tried: { target: 'trying', actions: { type: 'noteTrial', params: ({ event }) => event } },
        succeeded: {},
        abandoned: {},
        eased: {},
        refused: { target: 'held', actions: { type: 'noteRefusal', params: ({ event }) => event } },
        reset: 'open',
      },
    },
    trying: {
      description:
        'The trial is under way; other answers decide nothing. Ends with its answer, or with a new trial when none came for long.',
      after: { trialTimeout: { target: 'halfOpen', actions: 'announceOpening' } },
      on: {
        tried: {},
        succeeded: {
          guard: { type: 'isTrial', params: ({ event }) => event },
          target: 'open',
          actions: 'announceOpening',
        },
        abandoned: {
          guard: { type: 'isTrial', params: ({ event }) => event },
          target: 'halfOpen',
          actions: 'announceOpening',
        },
        eased: {},
        refused: [
          {
            guard: { type: 'isTrial', params: ({ event }) => event },
            target: 'held',
            actions: { type: 'noteRefusedTrial', params: ({ event }) => event },
          },
          { actions: { type: 'noteReason', params: ({ event }) => event } },
        ],
        reset: { target: 'open', actions: 'announceOpening' },
      },
    },
  },
});
