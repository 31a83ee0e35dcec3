import { and, assign, raise, sendParent, setup, stateIn } from 'xstate';
import {
  runnerEffects,
  type ContainerOnInstance,
  type RemoteOutcome,
  type StartOutcome,
} from './worker-effects.js';

/** The waits of one runner, in ms. */
export interface RunnerTimings {
  /** How long TERM is sent before the runner gives up. */
  timeoutTermMs: number;
  /** Pause between two TERMs. */
  timeoutSignalMs: number;
  /** Pause between two tries to collect a result. */
  collectRetryMs: number;
  /** How long a result that cannot be collected is waited for. */
  timeoutCollectMs: number;
}

export interface RunnerInput extends ContainerOnInstance {
  /** `assigned`: to be started; `listed`: found alive; `ended`: found with a result to collect. */
  origin: 'assigned' | 'listed' | 'ended';
  /** False for a runner program that reports its results itself. */
  collects: boolean;
  timings: RunnerTimings;
}

/**
 * How a runner ended: result brought home, no longer listed, gone after a TERM, its result given up, or never begun.
 */
export type RunnerEnding = 'collected' | 'missing' | 'killed' | 'lost' | 'refused';

export interface RunnerContext extends RunnerInput {
  ending: RunnerEnding;
}

export type RunnerEvent =
  /** A probe or the watch saw the process alive. */
  | { type: 'process.listed' }
  /** A probe no longer lists the process. */
  | { type: 'process.missing' }
  /** The process ended and left a result. */
  | { type: 'process.ended' }
  | { type: 'kill' };

/** What a runner tells its worker. */
export type RunnerReport =
  | { type: 'runner.startReturned'; uuid: string; outcome: StartOutcome }
  | { type: 'runner.ending'; uuid: string }
  | { type: 'runner.gaveUp'; uuid: string };

export interface RunnerOutput {
  uuid: string;
  ending: RunnerEnding;
}

export const runnerSetup = setup({
  types: {
    context: {} as RunnerContext,
    input: {} as RunnerInput,
    events: {} as RunnerEvent,
    output: {} as RunnerOutput,
  },
  actors: runnerEffects,
  guards: {
    wasAssigned: ({ context }) => context.origin === 'assigned',
    hadEnded: ({ context }) => context.origin === 'ended',
    collectsResults: ({ context }) => context.collects,
    endedWhileStarting: stateIn({ alive: { process: { starting: 'over' } } }),
    isRunning: stateIn({ alive: { process: 'running' } }),
    isCollecting: stateIn({ alive: { process: 'collecting' } }),
    isRunningAndCollects: and([stateIn({ alive: { process: 'running' } }), 'collectsResults']),
    succeeded: (_, params: RemoteOutcome) => params.ok,
    ranNothing: (_, params: StartOutcome) => !params.ok && params.ranNothing === true,
  },
  actions: {
    noteEnding: assign((_, params: { ending: RunnerEnding }) => ({ ending: params.ending })),
    reportStartReturned: sendParent(({ context }, params: { outcome: StartOutcome }) => ({
      type: 'runner.startReturned',
      uuid: context.uuid,
      outcome: params.outcome,
    })),
    reportStartFault: sendParent(({ context }, params: { error: unknown }) => ({
      type: 'runner.startReturned',
      uuid: context.uuid,
      outcome: {
        ok: false,
        code: 'fault',
        message: String(params.error),
        stdout: '',
        stderr: '',
        expected: false,
        fault: 'daemon',
      },
    })),
    raiseProcessEnded: raise({ type: 'process.ended' }),
    reportEnding: sendParent(({ context }) => ({ type: 'runner.ending', uuid: context.uuid })),
    reportGaveUp: sendParent(({ context }) => ({ type: 'runner.gaveUp', uuid: context.uuid })),
  },
  delays: {
    termTimeout: ({ context }) => context.timings.timeoutTermMs,
    signalInterval: ({ context }) => context.timings.timeoutSignalMs,
    collectRetry: ({ context }) => context.timings.collectRetryMs,
    collectTimeout: ({ context }) => context.timings.timeoutCollectMs,
  },
});
