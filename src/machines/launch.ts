import { assign, setup } from 'xstate';
import {
  createInstance,
  recordIntent,
  settleIntent,
  type CreateOutcome,
  type LaunchRequest,
} from './cloud-effects.js';

export interface LaunchContext extends LaunchRequest {
  outcome: CreateOutcome;
}

/** What became of a launch. */
export interface LaunchOutput {
  launchId: string;
  instanceType: LaunchRequest['instanceType'];
  zone: string;
  outcome: CreateOutcome;
}

const launchSetup = setup({
  types: {
    context: {} as LaunchContext,
    input: {} as LaunchRequest,
    output: {} as LaunchOutput,
  },
  actors: { recordIntent, settleIntent, createInstance },
  actions: {
    noteOutcome: assign((_, params: CreateOutcome) => ({ outcome: params })),
    noteFault: assign((_, params: { error: unknown; during: string }) => ({
      outcome: {
        ok: false as const,
        error: { code: 'unavailable' as const, message: `${params.during}: ${String(params.error)}` },
      },
    })),
  },
});

const describeOutcome = ({ outcome }: LaunchContext): string =>
  outcome.ok ? `created ${outcome.instance.id}` : `refused: ${outcome.error.code}`;

/**
 * One create call (L-1..L-9). The wish is on disk before the cloud is asked, so that an instance whose reply was never
 * heard is known for what it is after a restart.
 */
export const launchMachine = launchSetup.createMachine({
  id: 'launch',
  description: 'One create call.',
  context: ({ input }) => ({
    ...input,
    outcome: { ok: false, error: { code: 'aborted', message: 'not asked yet' } },
  }),
  output: ({ context }) => ({
    launchId: context.launchId,
    instanceType: context.instanceType,
    zone: context.zone ?? '',
    outcome: context.outcome,
  }),
  initial: 'recording',
  states: {
    recording: {
      description: 'The intent is being written. Without it the cloud is not asked.',
      invoke: {
        id: 'recordIntent',
        src: 'recordIntent',
        input: ({ context }) => context,
        onDone: 'creating',
        onError: {
          target: 'settled',
          actions: {
            type: 'noteFault',
            params: ({ event }) => ({ error: event.error, during: 'the intent could not be recorded' }),
          },
        },
      },
    },
    creating: {
      description: 'The cloud was asked. Ends with its answer or the deadline of the call (L-8, L-9).',
      invoke: {
        id: 'createInstance',
        src: 'createInstance',
        input: ({ context }) => context,
        onDone: {
          target: 'settling',
          actions: { type: 'noteOutcome', params: ({ event }) => event.output },
        },
        onError: {
          target: 'settling',
          actions: {
            type: 'noteFault',
            params: ({ event }) => ({ error: event.error, during: 'the create call failed' }),
          },
        },
      },
    },
    settling: {
      description: 'The outcome is being written. A failure leaves the intent open, which is harmless.',
      invoke: {
        id: 'settleIntent',
        src: 'settleIntent',
        input: ({ context }) => ({ ...context, outcome: describeOutcome(context) }),
        onDone: 'settled',
        onError: 'settled',
      },
    },
    settled: { description: 'The outcome is known.', type: 'final' },
  },
});
