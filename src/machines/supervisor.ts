import { raise, setup, spawnChild, stopChild } from 'xstate';
import type { Instance } from '../domain/instance.js';
import { listInstances, type CloudFailure, type LaunchRequest } from './cloud-effects.js';
import { launchMachine, type LaunchOutput } from './launch.js';

/** What the supervisor does with the workers; each is a root actor of its own, so it is a port, not a child. */
export interface Roster {
  /** A list call is about to begin: what changes from now on is newer than its answer (L-22). */
  beginList(): void;
  /** Spawns, updates and retires workers so that they agree with the list (L-23, L-24). */
  reconcile(instances: readonly Instance[]): void;
  listFailed(error: CloudFailure): void;
  /** A create call ended (L-8, L-9). */
  settleLaunch(output: LaunchOutput): void;
  /** The actor of a create call broke, so nobody knows what became of the call. */
  launchBroke(launchId: string, error: unknown): void;
  /** A fresh worker for an instance whose worker broke. */
  replace(instanceId: string): void;
  /** Some instance has no address yet, is being destroyed or may be missed: the next list is worth having soon. */
  awaitsNews(): boolean;
  /** Epoch-independent time for which the provider does not want to be asked for a list, ms (L-19). */
  listHoldMs(): number;
}

export interface SupervisorInput {
  roster: Roster;
  syncIntervalMs: number;
  /** Pause between two lists while news is awaited. */
  hastySyncIntervalMs: number;
  /** Pause before a worker that broke is replaced. */
  replaceDelayMs: number;
}

export type SupervisorEvent =
  | ({ type: 'launch.requested' } & LaunchRequest)
  | { type: 'sync.wanted' }
  | { type: 'worker.broke'; instanceId: string }
  | { type: 'worker.replace'; instanceId: string }
  | { type: 'stop' }
  | { type: `xstate.done.actor.${string}`; output: LaunchOutput; actorId: string }
  | { type: `xstate.error.actor.${string}`; error: unknown; actorId: string };

const unlisted: CloudFailure = { code: 'unavailable', message: 'the provider gave no list' };
const faultOf = (error: unknown): CloudFailure => ({ code: 'unavailable', message: String(error) });

const supervisorSetup = setup({
  types: {
    context: {} as SupervisorInput,
    input: {} as SupervisorInput,
    events: {} as SupervisorEvent,
  },
  actors: { listInstances, launch: launchMachine },
  guards: {
    awaitsNews: ({ context }) => context.roster.awaitsNews() && context.roster.listHoldMs() === 0,
    mayList: ({ context }) => context.roster.listHoldMs() === 0,
    listed: (_, params: { ok: boolean }) => params.ok,
  },
  actions: {
    beginList: ({ context }) => context.roster.beginList(),
    reconcile: ({ context }, params: { instances: readonly Instance[] }) =>
      context.roster.reconcile(params.instances),
    noteListFailure: ({ context }, params: { error: CloudFailure }) =>
      context.roster.listFailed(params.error),
    settleLaunch: ({ context }, params: { output: LaunchOutput }) =>
      context.roster.settleLaunch(params.output),
    breakLaunch: ({ context }, params: { actorId: string; error: unknown }) =>
      context.roster.launchBroke(params.actorId, params.error),
    replaceWorker: ({ context }, params: { instanceId: string }) => context.roster.replace(params.instanceId),
    startLaunch: spawnChild('launch', {
      id: ({ event }) => (event.type === 'launch.requested' ? event.launchId : ''),
      input: ({ event }) => event as LaunchRequest & SupervisorEvent,
    }),
    replaceSoon: raise(
      (_, params: { instanceId: string }) => ({ type: 'worker.replace' as const, ...params }),
      {
        delay: 'replaceDelay',
      },
    ),
    dropActor: stopChild((_, params: { actorId: string }) => params.actorId),
  },
  delays: {
    syncInterval: ({ context }) => Math.max(context.syncIntervalMs, context.roster.listHoldMs()),
    hastyInterval: ({ context }) => context.hastySyncIntervalMs,
    replaceDelay: ({ context }) => context.replaceDelayMs,
  },
});

/**
 * Keeps the workers in agreement with the provider's list and makes the create calls (L-21..L-26). It holds no worker:
 * they live in the roster, so that none of them can take another down.
 */
export const supervisorMachine = supervisorSetup.createMachine({
  id: 'supervisor',
  description: 'The instance set as a whole.',
  context: ({ input }) => input,
  initial: 'loading',
  states: {
    loading: {
      description: 'The first list is on its way. Ends when there is one (L-25).',
      initial: 'asking',
      states: {
        asking: {
          description: 'The provider was asked for all instances of this set.',
          entry: 'beginList',
          invoke: {
            id: 'firstList',
            src: 'listInstances',
            onDone: [
              {
                guard: { type: 'listed', params: ({ event }) => event.output },
                target: '#supervisor.watching',
                actions: {
                  type: 'reconcile',
                  params: ({ event }) => ({ instances: event.output.ok ? event.output.instances : [] }),
                },
              },
              {
                target: 'pausing',
                actions: {
                  type: 'noteListFailure',
                  params: ({ event }) => ({ error: event.output.ok ? unlisted : event.output.error }),
                },
              },
            ],
            onError: {
              target: 'pausing',
              actions: { type: 'noteListFailure', params: ({ event }) => ({ error: faultOf(event.error) }) },
            },
          },
        },
        pausing: {
          description: 'The list could not be had. Ends with a new try after a while.',
          after: {
            hastyInterval: [
              { guard: 'mayList', target: 'asking' },
              { target: 'pausing', reenter: true },
            ],
          },
        },
      },
      on: { stop: 'stopping', 'sync.wanted': {} },
    },
    watching: {
      description: 'The list is known. Ends with the sync interval, or sooner while news is awaited (L-21).',
      after: { syncInterval: 'listing' },
      on: { 'sync.wanted': { guard: 'mayList', target: 'listing' }, stop: 'stopping' },
      initial: 'beating',
      states: {
        beating: {
          description:
            'Looks now and then whether an instance without address, or one that leaves or is missed, wants a list.',
          after: {
            hastyInterval: [
              { guard: 'awaitsNews', target: '#supervisor.listing' },
              { target: 'beating', reenter: true },
            ],
          },
        },
      },
    },
    listing: {
      description:
        'The provider was asked for the list. Ends with its answer or the deadline of the call (L-22).',
      entry: 'beginList',
      invoke: {
        id: 'listInstances',
        src: 'listInstances',
        onDone: [
          {
            guard: { type: 'listed', params: ({ event }) => event.output },
            target: 'watching',
            actions: {
              type: 'reconcile',
              params: ({ event }) => ({ instances: event.output.ok ? event.output.instances : [] }),
            },
          },
          {
            target: 'watching',
            actions: {
              type: 'noteListFailure',
              params: ({ event }) => ({ error: event.output.ok ? unlisted : event.output.error }),
            },
          },
        ],
        onError: {
          target: 'watching',
          actions: { type: 'noteListFailure', params: ({ event }) => ({ error: faultOf(event.error) }) },
        },
      },
      on: { stop: 'stopping', 'sync.wanted': {} },
    },
    stopping: {
      description: 'No list and no create call any more; instances live on (L-34).',
      type: 'final',
    },
  },
  on: {
    'launch.requested': { actions: 'startLaunch' },
    'worker.broke': {
      actions: { type: 'replaceSoon', params: ({ event }) => ({ instanceId: event.instanceId }) },
    },
    'worker.replace': {
      actions: { type: 'replaceWorker', params: ({ event }) => ({ instanceId: event.instanceId }) },
    },
    'xstate.done.actor.*': {
      actions: [
        { type: 'settleLaunch', params: ({ event }) => ({ output: event.output }) },
        { type: 'dropActor', params: ({ event }) => ({ actorId: event.actorId }) },
      ],
    },
    'xstate.error.actor.*': {
      actions: [
        { type: 'breakLaunch', params: ({ event }) => ({ actorId: event.actorId, error: event.error }) },
        { type: 'dropActor', params: ({ event }) => ({ actorId: event.actorId }) },
      ],
    },
  },
});
