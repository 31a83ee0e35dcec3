import { assign, emit, setup } from 'xstate';

/** What opens a breaker and how long a trial may take. */
export interface CircuitBreakerInput {
  /** Consecutive failures that open it; 0: none do. */
  failuresToOpen: number;
  /** Time after which a trial without an answer is given up and the next one is allowed, ms. */
  trialTimeoutMs: number;
}

interface CircuitBreakerContext extends CircuitBreakerInput {
  openForMs: number;
  reason: string;
  /** The call whose answer decides; `''` while there is none. */
  trial: string;
  /** Consecutive failures since the last success. */
  failures: number;
  /** Consecutive trials that failed. */
  failedTrials: number;
}

/** The reason of a failure, and how long the breaker stays open for it. */
export interface BreakerFailure {
  forMs: number;
  /** Each failed trial doubles the time, up to this; not given: the time stays as it is. */
  longestMs?: number;
  reason: string;
}

/** Events name their call: calls overlap, and only the trial's answer closes an open breaker. */
export type CircuitBreakerEvent =
  | ({ type: 'failed'; call: string } & BreakerFailure)
  /** A call is about to be made. */
  | { type: 'started'; call: string }
  | { type: 'succeeded'; call: string }
  /** The call ended for a reason that says nothing about what the breaker guards. */
  | { type: 'abandoned'; call: string }
  /** The cause of the failure may be over: one trial may show it. */
  | { type: 'eased' }
  /** Closes it at once. */
  | { type: 'reset' };

/** Emitted when requests may pass again, all of them or one trial (W-45). */
export type CircuitBreakerFact = { type: 'breaker.closed' };

const breakerSetup = setup({
  types: {
    context: {} as CircuitBreakerContext,
    input: {} as CircuitBreakerInput,
    events: {} as CircuitBreakerEvent,
    emitted: {} as CircuitBreakerFact,
  },
  guards: {
    /** Of overlapping calls one decides. */
    isTrial: ({ context }, params: { call: string }) => context.trial === params.call,
    isLastFailureAllowed: ({ context: { failures, failuresToOpen } }) =>
      failuresToOpen > 0 && failures + 1 >= failuresToOpen,
  },
  actions: {
    countFailure: assign(({ context }) => ({ failures: context.failures + 1 })),
    recordFailure: assign(({ context }, params: BreakerFailure) => ({
      failures: context.failures + 1,
      reason: params.reason,
    })),
    recordOpening: assign(({ context }, params: BreakerFailure) => ({
      openForMs: openMs(params, context.failedTrials),
    })),
    countFailedTrial: assign(({ context }) => ({ failedTrials: context.failedTrials + 1 })),
    recordTrial: assign((_, params: { call: string }) => ({ trial: params.call })),
    forgetFailures: assign({ failures: 0, failedTrials: 0 }),
    emitClosed: emit({ type: 'breaker.closed' }),
  },
  delays: {
    openTime: ({ context }) => context.openForMs,
    trialTimeout: ({ context }) => context.trialTimeoutMs,
  },
});

function openMs({ forMs, longestMs = 0 }: BreakerFailure, failedTrials: number): number {
  return Math.max(forMs, Math.min(longestMs, forMs * 2 ** failedTrials));
}

/**
 * A circuit breaker (L-15, L-19, K-10): after too many failures in a row requests are held for a time, then one trial
 * decides. There is one for each key: an instance type, a quota group, the whole provider, or one kind of call. Answers
 * to calls that started before it opened may come in any state; a success among them does not close it.
 */
export const circuitBreakerMachine = breakerSetup.createMachine({
  id: 'circuitBreaker',
  description: 'Decides whether requests pass.',
  context: ({ input }) => ({ ...input, openForMs: 0, reason: '', trial: '', failures: 0, failedTrials: 0 }),
  initial: 'closed',
  states: {
    closed: {
      description: 'Requests pass. Ends with the failure that makes it too many in a row.',
      entry: 'forgetFailures',
      on: {
        failed: [
          {
            guard: 'isLastFailureAllowed',
            target: 'open',
            actions: [
              { type: 'recordFailure', params: ({ event }) => event },
              { type: 'recordOpening', params: ({ event }) => event },
            ],
          },
          { actions: 'countFailure' },
        ],
        started: {},
        succeeded: { actions: 'forgetFailures' },
        abandoned: {},
        eased: {},
        reset: { actions: 'forgetFailures' },
      },
    },
    open: {
      description:
        'Requests are held. The failure of a call that started earlier prolongs it. Ends after its time, when its cause may be over, or on reset by an operator.',
      after: { openTime: { target: 'halfOpen', actions: 'emitClosed' } },
      on: {
        failed: {
          target: 'open',
          reenter: true,
          actions: [
            { type: 'recordFailure', params: ({ event }) => event },
            { type: 'recordOpening', params: ({ event }) => event },
          ],
        },
        started: {},
        succeeded: {},
        abandoned: {},
        eased: { target: 'halfOpen', actions: 'emitClosed' },
        reset: { target: 'closed', actions: 'emitClosed' },
      },
    },
    halfOpen: {
      description:
        'One trial may start; its answer decides. The failure of a call that started earlier opens the breaker again. Ends when the trial starts.',
      on: {
        started: { target: 'probing', actions: { type: 'recordTrial', params: ({ event }) => event } },
        succeeded: {},
        abandoned: {},
        eased: {},
        failed: {
          target: 'open',
          actions: [
            { type: 'recordFailure', params: ({ event }) => event },
            { type: 'recordOpening', params: ({ event }) => event },
          ],
        },
        reset: 'closed',
      },
    },
    probing: {
      description:
        'The trial is under way; answers to other calls do not decide. Ends with its answer, or after the trial timeout with a new trial.',
      after: { trialTimeout: { target: 'halfOpen', actions: 'emitClosed' } },
      on: {
        started: {},
        succeeded: {
          guard: { type: 'isTrial', params: ({ event }) => event },
          target: 'closed',
          actions: 'emitClosed',
        },
        abandoned: {
          guard: { type: 'isTrial', params: ({ event }) => event },
          target: 'halfOpen',
          actions: 'emitClosed',
        },
        eased: {},
        failed: [
          {
            guard: { type: 'isTrial', params: ({ event }) => event },
            target: 'open',
            actions: [
              'countFailedTrial',
              { type: 'recordFailure', params: ({ event }) => event },
              { type: 'recordOpening', params: ({ event }) => event },
            ],
          },
          { actions: { type: 'recordFailure', params: ({ event }) => event } },
        ],
        reset: { target: 'closed', actions: 'emitClosed' },
      },
    },
  },
});
