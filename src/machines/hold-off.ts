import { assign, emit, setup } from 'xstate';

/** Why and until when something is not asked for again. */
export interface HoldOffInput {
  /** How long a trial may stay without an answer before the next is allowed, ms. */
  trialTimeoutMs: number;
}

interface HoldOffContext extends HoldOffInput {
  heldForMs: number;
  because: string;
}

export type HoldOffEvent =
  /** The provider said no. */
  | { type: 'refused'; forMs: number; because: string }
  /** A request was made while half open. */
  | { type: 'tried' }
  | { type: 'succeeded' }
  /** The request came to nothing for another reason, so that it decides nothing. */
  | { type: 'abandoned' }
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
  actions: {
    noteRefusal: assign((_, params: { forMs: number; because: string }) => ({
      heldForMs: params.forMs,
      because: params.because,
    })),
    announceOpening: emit({ type: 'holdOff.opened' }),
  },
  delays: {
    holdTime: ({ context }) => context.heldForMs,
    trialTimeout: ({ context }) => context.trialTimeoutMs,
  },
});

/**
 * A breaker: after a refusal nothing is asked for a time, then one request decides (L-15, L-19, K-10). One for each
 * key: an instance type, a quota group, the whole provider, or one kind of call.
 */
export const holdOffMachine = holdOffSetup.createMachine({
  id: 'holdOff',
  description: 'Whether the provider may be asked.',
  context: ({ input }) => ({ ...input, heldForMs: 0, because: '' }),
  initial: 'open',
  states: {
    open: {
      description: 'Requests are free. Ends with a refusal.',
      on: {
        refused: { target: 'held', actions: { type: 'noteRefusal', params: ({ event }) => event } },
        tried: {},
        succeeded: {},
        abandoned: {},
        reset: {},
      },
    },
    held: {
      description: 'Nothing is asked for. Ends with the time of the hold-off, or at an operator’s word.',
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
        reset: { target: 'open', actions: 'announceOpening' },
      },
    },
    halfOpen: {
      description: 'One request may be made; its answer decides. Ends when it is made or answered.',
      on: {
        tried: 'trying',
        succeeded: 'open',
        abandoned: {},
        refused: { target: 'held', actions: { type: 'noteRefusal', params: ({ event }) => event } },
        reset: 'open',
      },
    },
    trying: {
      description: 'The trial is under way. Ends with its answer, or when none came for long.',
      after: { trialTimeout: { target: 'open', actions: 'announceOpening' } },
      on: {
        tried: {},
        succeeded: { target: 'open', actions: 'announceOpening' },
        abandoned: { target: 'halfOpen', actions: 'announceOpening' },
        refused: { target: 'held', actions: { type: 'noteRefusal', params: ({ event }) => event } },
        reset: { target: 'open', actions: 'announceOpening' },
      },
    },
  },
});
