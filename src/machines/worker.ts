import { initialWorkerContext, workerSetup } from './worker-setup.js';
import type { ActorRefFrom, SnapshotFrom } from 'xstate';

/**
 * One cloud instance, from the moment it is known until it left the provider's list. Root of its own actor system;
 * containers on it are its children. Everything it waits for ends by an event or by time.
 */
export const workerMachine = workerSetup.createMachine({
  id: 'worker',
  description: 'One cloud instance.',
  context: ({ input }) => initialWorkerContext(input),
  type: 'parallel',
  on: {
    'instance.listed': { actions: 'noteInstance' },
    'xstate.done.actor.*': {
      actions: {
        type: 'forgetRunner',
        params: ({ event }) => ({ actorId: event.actorId, output: event.output }),
      },
    },
    'xstate.error.actor.*': {
      actions: { type: 'forgetRunner', params: ({ event }) => ({ actorId: event.actorId }) },
    },
    'runner.startReturned': { actions: 'noteStarted' },
    'runner.ending': { actions: 'noteEnding' },
    'container.kill': { guard: 'knowsContainer', actions: 'killRunner' },
  },
  states: {
    lifecycle: {
      description: 'Whether the instance is in service (W-10..W-36).',
      initial: 'appearing',
      states: {
        appearing: {
          description:
            'Just heard of. Ends at once: booting when this process asked for it, else unknown (W-1).',
          always: [{ guard: 'wasExpected', target: 'booting' }, { target: 'unknown' }],
        },
        unknown: {
          description:
            'Found in the list; maybe in service for an earlier process. Ends in service when a whole probe round succeeds, or in shutdown when a round fails after the boot timeout, one more than that being begun at once (W-12..W-14, W-23, W-24). Draining waits until it is known what runs here (I-1).',
          after: { bootTimeout: { actions: 'hastenProbe' } },
          on: {
            'behavior.changed': [
              { guard: 'isAbandonedOrphan', target: 'orphaned' },
              {
                guard: 'neverAnsweredInTime',
                target: 'shutdown',
                actions: [
                  { type: 'decideBoot', params: { outcome: 'aborted' } },
                  { type: 'noteShutdown', params: { because: 'never answered within the boot timeout' } },
                ],
              },
            ],
            'round.passed': [
              { guard: 'roundWasOvertaken', actions: ['reportBroken', 'noteProbed'] },
              { guard: 'bootFailed', actions: ['reportBroken', 'noteProbed', 'applyListing'] },
              {
                target: 'idle',
                actions: [
                  'reportBroken',
                  { type: 'decideBoot', params: { outcome: 'success' } },
                  'noteProbed',
                  'applyListing',
                ],
              },
            ],
            'round.failed': [
              { guard: 'isOverdueOrphan', target: 'orphaned' },
              {
                guard: 'bootIsOverdue',
                target: 'shutdown',
                actions: [
                  { type: 'decideBoot', params: { outcome: 'failure' } },
                  { type: 'noteShutdown', params: { because: 'the boot did not succeed in time' } },
                ],
              },
            ],
            'scheduler.shutdown': {},
            'scheduler.keep': {},
          },
        },
        orphaned: {
          description:
            'Carries the id of this instance set, but nobody recorded that it was asked for, and it never answered: it may belong to somebody else. Reported. Ends when it answers after all, if only with containers while its boot still fails (K-1), by an order to drain or kill it, or after a grace time where the operator allows that.',
          entry: 'hastenProbe',
          after: { orphanGrace: { actions: 'raiseBehaviorChanged' } },
          on: {
            'behavior.changed': [
              {
                guard: 'isDraining',
                target: 'shutdown',
                actions: [
                  { type: 'decideBoot', params: { outcome: 'aborted' } },
                  { type: 'noteShutdown', params: { because: 'draining, and it never answered' } },
                ],
              },
              {
                guard: 'orphanIsOverdue',
                target: 'shutdown',
                actions: [
                  { type: 'decideBoot', params: { outcome: 'aborted' } },
                  {
                    type: 'noteShutdown',
                    params: { because: 'nobody recorded that it was asked for, and it never answered' },
                  },
                ],
              },
            ],
            'round.passed': [
              { guard: 'roundWasOvertaken', target: 'unknown', actions: ['reportBroken', 'noteProbed'] },
              {
                guard: 'bootFailed',
                target: 'unknown',
                actions: ['reportBroken', 'noteProbed', 'applyListing'],
              },
              {
                target: 'idle',
                actions: [
                  'reportBroken',
                  { type: 'decideBoot', params: { outcome: 'success' } },
                  'noteProbed',
                  'applyListing',
                ],
              },
            ],
            'round.failed': {},
            'scheduler.shutdown': {},
            'scheduler.keep': {},
          },
        },
        booting: {
          description:
            'Asked for by this process and on its way. The stages only ever advance; each has a time limit, after which one more probe decides. Ends in service, or in shutdown when it is drained, broken or too slow (W-12, W-13, W-20, W-24, W-26).',
          always: {
            guard: 'isDraining',
            target: 'shutdown',
            actions: [
              { type: 'decideBoot', params: { outcome: 'aborted' } },
              { type: 'noteShutdown', params: { because: 'draining while booting' } },
            ],
          },
          initial: 'requested',
          on: {
            'round.passed': [
              {
                guard: 'reportsBrokenWhileBooting',
                target: 'shutdown',
                actions: [
                  'reportBroken',
                  { type: 'noteShutdown', params: { because: 'broken at its first answer' } },
                ],
              },
              {
                target: 'idle',
                actions: [
                  'reportBroken',
                  'noteReady',
                  { type: 'decideBoot', params: { outcome: 'success' } },
                  'noteProbed',
                  'applyListing',
                ],
              },
            ],
            'round.failed': {
              guard: 'bootIsOverdue',
              target: 'shutdown',
              actions: [
                { type: 'decideBoot', params: { outcome: 'failure' } },
                { type: 'noteShutdown', params: { because: 'the boot did not succeed in time' } },
              ],
            },
            'scheduler.keep': {},
            'scheduler.shutdown': {
              guard: 'isNotHeld',
              target: 'shutdown',
              actions: [
                { type: 'decideBoot', params: { outcome: 'aborted' } },
                { type: 'noteShutdown', params: { because: '' } },
              ],
            },
          },
          states: {
            requested: {
              description: 'The provider accepted the request. Ends when the address is known.',
              entry: { type: 'noteStage', params: { stage: 'requested' } },
              always: { guard: 'hasAddress', target: 'addressed' },
              after: { requestedTimeout: { actions: 'hastenProbe' } },
            },
            addressed: {
              description: 'The address is known. Ends when an SSH handshake succeeds.',
              entry: [{ type: 'noteStage', params: { stage: 'addressed' } }, 'hastenProbe'],
              after: { addressedTimeout: { actions: 'hastenProbe' } },
              on: {
                'connection.established': 'connected',
                'connection.verified': 'verified',
                'boot.succeeded': 'booted',
              },
            },
            connected: {
              description: 'An SSH server answers. Ends when it proved to be this instance (X-6).',
              entry: { type: 'noteStage', params: { stage: 'connected' } },
              after: { connectedTimeout: { actions: 'hastenProbe' } },
              on: { 'connection.verified': 'verified', 'boot.succeeded': 'booted' },
            },
            verified: {
              description: 'The host is proven. Ends when the boot probe command succeeds (P-7).',
              entry: [{ type: 'noteStage', params: { stage: 'verified' } }, 'noteVerified'],
              after: { verifiedTimeout: { actions: 'hastenProbe' } },
              on: { 'boot.succeeded': 'booted' },
            },
            booted: {
              description: 'The system is up. Ends when the runner program is in place (P-9).',
              entry: [{ type: 'noteStage', params: { stage: 'booted' } }],
              after: { bootedTimeout: { actions: 'hastenProbe' } },
              on: { 'runner.copied': 'copied' },
            },
            copied: {
              description: 'The runner program is in place. Ends with the first successful run probe.',
              entry: { type: 'noteStage', params: { stage: 'copied' } },
              after: { copiedTimeout: { actions: 'hastenProbe' } },
            },
          },
        },
        idle: {
          description:
            'In service, no container. Ends at once when the listing that brought it here has some (W-13); else when one is assigned or found, when it idled too long, or when it is to drain; being kept begins the wait anew (W-15, W-16, W-20, W-21, W-25).',
          entry: 'noteBusy',
          always: [
            { guard: 'hasRunners', target: 'running' },
            {
              guard: 'isDraining',
              target: 'shutdown',
              actions: [
                { type: 'decideBoot', params: { outcome: 'aborted' } },
                { type: 'noteShutdown', params: { because: 'draining and idle' } },
              ],
            },
          ],
          after: {
            idleTimeout: {
              guard: 'isNotHeld',
              target: 'shutdown',
              actions: [
                { type: 'decideBoot', params: { outcome: 'aborted' } },
                { type: 'noteShutdown', params: { because: 'idle for longer than the idle timeout' } },
              ],
            },
          },
          on: {
            'container.assigned': { guard: 'acceptsContainers', target: 'running', actions: 'startRunner' },
            'behavior.changed': {
              guard: 'idledTooLong',
              target: 'shutdown',
              actions: [
                { type: 'decideBoot', params: { outcome: 'aborted' } },
                { type: 'noteShutdown', params: { because: 'idle for longer than the idle timeout' } },
              ],
            },
            'round.passed': [
              { guard: 'roundWasOvertaken', actions: ['reportBroken', 'noteProbed'] },
              { actions: ['reportBroken', 'noteProbed', 'applyListing'] },
            ],
            'round.failed': {
              guard: 'isUnresponsive',
              target: 'shutdown',
              actions: {
                type: 'noteShutdown',
                params: { because: 'no answer for longer than the probe timeout' },
              },
            },
            'scheduler.keep': { target: 'idle', reenter: true },
            'scheduler.shutdown': {
              guard: 'isNotHeld',
              target: 'shutdown',
              actions: [
                { type: 'decideBoot', params: { outcome: 'aborted' } },
                { type: 'noteShutdown', params: { because: '' } },
              ],
            },
          },
        },
        running: {
          description:
            'In service with containers. Ends when the last one is gone, when all that remain cannot be stopped and it is to drain, or when it stopped answering (W-18, W-19, W-22, W-25).',
          always: [
            { guard: 'hasNoRunners', target: 'idle' },
            {
              guard: 'drainsWithOnlyLostRunners',
              target: 'shutdown',
              actions: {
                type: 'noteShutdown',
                params: { because: 'draining, and no container left that can be stopped' },
              },
            },
          ],
          on: {
            'container.assigned': { guard: 'acceptsContainers', actions: 'startRunner' },
            'round.passed': [
              { guard: 'roundWasOvertaken', actions: ['reportBroken', 'noteProbed'] },
              { actions: ['reportBroken', 'noteProbed', 'applyListing'] },
            ],
            'round.failed': {
              guard: 'isUnresponsive',
              target: 'shutdown',
              actions: {
                type: 'noteShutdown',
                params: { because: 'no answer for longer than the probe timeout' },
              },
            },
            'scheduler.shutdown': {},
            'scheduler.keep': {},
          },
        },
        shutdown: {
          description:
            'To be destroyed, and no way back. Ends when the instance left the list (S-1..S-8). Containers on it count as there until then.',
          initial: 'destroying',
          on: { 'scheduler.shutdown': {}, 'scheduler.keep': {} },
          states: {
            destroying: {
              description: 'The order to destroy is on its way to the provider.',
              invoke: {
                id: 'destroyInstance',
                src: 'destroyInstance',
                input: ({ context }) => ({ instanceId: context.instance.id }),
                onDone: [
                  {
                    guard: { type: 'succeeded', params: ({ event }) => event.output },
                    target: 'leaving',
                    actions: 'noteDestroyConfirmed',
                  },
                  { target: 'leaving' },
                ],
                onError: 'leaving',
              },
            },
            leaving: {
              description:
                'The provider was told. Told again when the instance is still listed after a while (S-3, K-24).',
              after: { shutdownTimeout: 'destroying' },
            },
          },
        },
        gone: {
          description: 'The instance left the list. Nothing follows (W-30).',
          type: 'final',
          entry: { type: 'decideBoot', params: { outcome: 'disappeared' } },
        },
      },
      on: {
        'instance.missing': '.gone',
        'operator.kill': {
          target: '.shutdown',
          actions: [
            { type: 'decideBoot', params: { outcome: 'aborted' } },
            { type: 'noteShutdown', params: { because: '' } },
          ],
        },
      },
    },
    idleBehavior: {
      description: 'The wish of the operator, restored from the tags (I-1..I-11, W-3, W-4).',
      initial: 'restoring',
      states: {
        restoring: {
          description: 'Reads the tag. Ends at once.',
          always: [
            { guard: 'startsOnHold', target: 'hold' },
            { guard: 'startsDraining', target: 'drain' },
            { target: 'run' },
          ],
        },
        run: {
          description:
            'Takes containers, and goes when idle for long. Ends by an order or by a broken report.',
          entry: { type: 'noteBehavior', params: { behavior: 'run' } },
          on: {
            'operator.run': { actions: ['noteBehaviorReason', 'raiseBehaviorChanged'] },
            'operator.hold': { target: 'hold', actions: ['noteBehaviorReason', 'raiseBehaviorChanged'] },
            'operator.drain': { target: 'drain', actions: ['noteBehaviorReason', 'raiseBehaviorChanged'] },
            'node.broken': { target: 'drain', actions: ['noteBehaviorReason', 'raiseBehaviorChanged'] },
            'watch.broken': { actions: 'raiseInterrupted' },
            'watch.interruption': { actions: 'raiseInterrupted' },
            'runner.gaveUp': {
              target: 'drain',
              actions: ['noteGaveUp', 'noteBehaviorReason', 'raiseBehaviorChanged'],
            },
          },
        },
        hold: {
          description: 'Takes no container and is never destroyed but by the order to kill it (I-7).',
          entry: { type: 'noteBehavior', params: { behavior: 'hold' } },
          on: {
            'operator.run': { target: 'run', actions: ['noteBehaviorReason', 'raiseBehaviorChanged'] },
            'operator.hold': {},
            'operator.drain': { target: 'drain', actions: ['noteBehaviorReason', 'raiseBehaviorChanged'] },
            'watch.broken': {},
            'watch.interruption': {},
            'runner.gaveUp': { actions: 'noteGaveUp' },
          },
        },
        drain: {
          description: 'Takes no container and goes when the last one ended (I-3, I-4).',
          entry: { type: 'noteBehavior', params: { behavior: 'drain' } },
          on: {
            'operator.run': { target: 'run', actions: ['noteBehaviorReason', 'raiseBehaviorChanged'] },
            'operator.hold': { target: 'hold', actions: ['noteBehaviorReason', 'raiseBehaviorChanged'] },
            'operator.drain': {},
            'watch.broken': {},
            'watch.interruption': {},
            'runner.gaveUp': { actions: 'noteGaveUp' },
          },
        },
      },
    },
    probe: {
      description: 'At most one visit to the instance at a time (P-4, P-6).',
      initial: 'resting',
      states: {
        resting: {
          description: 'No visit is under way. Ends when the pacer says it is time.',
          entry: 'announceRest',
          always: { guard: 'isShuttingDown', target: 'stopped' },
          on: {
            'probe.due': [
              { guard: 'needsSetup', target: 'bootProbing', actions: 'beginRound' },
              { target: 'runProbing', actions: 'beginRound' },
            ],
          },
        },
        bootProbing: {
          description: 'Asks whether the system is up. Ends with the answer or its deadline (P-7).',
          always: { guard: 'isShuttingDown', target: 'stopped' },
          invoke: {
            id: 'bootProbe',
            src: 'bootProbe',
            input: ({ context }) => ({ instanceId: context.instance.id }),
            onDone: [
              {
                guard: { type: 'succeeded', params: ({ event }) => event.output },
                target: 'copying',
                actions: 'raiseBooted',
              },
              {
                guard: 'isAdopting',
                target: 'copying',
                actions: { type: 'noteBootFailure', params: ({ event }) => event.output },
              },
              {
                target: 'resting',
                actions: [
                  { type: 'noteBootFailure', params: ({ event }) => event.output },
                  'raiseBootRoundFailed',
                ],
              },
            ],
            onError: {
              target: 'resting',
              actions: [
                { type: 'noteBootFault', params: ({ event }) => ({ error: event.error }) },
                'raiseBootRoundFailed',
              ],
            },
          },
        },
        copying: {
          description: 'Brings the runner program there. Ends with the answer or its deadline (P-8, P-9).',
          always: { guard: 'isShuttingDown', target: 'stopped' },
          invoke: {
            id: 'copyRunner',
            src: 'copyRunner',
            input: ({ context }) => ({ instanceId: context.instance.id }),
            onDone: [
              {
                guard: { type: 'succeeded', params: ({ event }) => event.output },
                target: 'runProbing',
                actions: 'raiseCopied',
              },
              {
                guard: 'isAdopting',
                target: 'runProbing',
                actions: { type: 'noteBootFailure', params: ({ event }) => event.output },
              },
              {
                target: 'resting',
                actions: [
                  { type: 'noteBootFailure', params: ({ event }) => event.output },
                  'raiseBootRoundFailed',
                ],
              },
            ],
            onError: {
              target: 'resting',
              actions: [
                { type: 'noteBootFault', params: ({ event }) => ({ error: event.error }) },
                'raiseBootRoundFailed',
              ],
            },
          },
        },
        runProbing: {
          description:
            'Asks which containers are there. Ends with the answer or its deadline (P-11..P-16). When the instance rebooted or the runner program is gone, the next round puts it in place first, and nothing new is begun before that.',
          always: { guard: 'isShuttingDown', target: 'stopped' },
          invoke: {
            id: 'runProbe',
            src: 'runProbe',
            input: ({ context }) => ({ instanceId: context.instance.id }),
            onDone: [
              {
                guard: { type: 'lostSetup', params: ({ event }) => event.output },
                target: 'resting',
                actions: { type: 'noteSetupLost', params: ({ event }) => event.output },
              },
              {
                guard: { type: 'probePassed', params: ({ event }) => event.output },
                target: 'resting',
                actions: { type: 'raiseRoundPassed', params: ({ event }) => event.output },
              },
              {
                target: 'resting',
                actions: { type: 'raiseRoundFailed', params: ({ event }) => event.output },
              },
            ],
            onError: {
              target: 'resting',
              actions: { type: 'raiseRoundFault', params: ({ event }) => ({ error: event.error }) },
            },
          },
        },
        stopped: {
          description: 'The instance is to be destroyed; it is not visited any more (P-6).',
          on: { 'probe.due': {} },
        },
      },
    },
    watch: {
      description: 'Hears of starts and ends as they happen, while probing alone would do.',
      initial: 'off',
      states: {
        off: {
          description: 'Not in service. Ends when it is.',
          always: { guard: 'isInService', target: 'listening' },
        },
        listening: {
          description:
            'The channel is open, or being opened. Ends when it breaks or the instance is given up.',
          always: { guard: 'isShuttingDown', target: 'over' },
          invoke: {
            id: 'watch',
            src: 'watch',
            input: ({ context }) => ({ instanceId: context.instance.id }),
            onError: 'pausing',
          },
          on: {
            'watch.attached': {},
            'watch.started': { actions: 'heedWatch' },
            'watch.ended': { actions: 'heedWatch' },
            'watch.closed': [{ guard: 'watchIsUnknown', target: 'over' }, { target: 'pausing' }],
          },
        },
        pausing: {
          description:
            'The channel broke. Ends with a new try after a while; a probe is asked for meanwhile.',
          entry: 'hastenProbe',
          always: { guard: 'isShuttingDown', target: 'over' },
          after: { watchRetry: 'listening' },
        },
        over: {
          description: 'No channel from now on: unknown to the runner program, or not needed.',
        },
      },
    },
    tags: {
      description: 'Keeps the tags of the instance as they should be; one write at a time (I-8, K-32).',
      initial: 'saved',
      states: {
        saved: {
          description: 'As far as known the tags are right. Ends when a list or an order says otherwise.',
          on: {
            'behavior.changed': { guard: 'tagsDiffer', target: 'saving' },
            'instance.listed': { actions: 'noteInstance', target: 'comparing' },
          },
        },
        comparing: {
          description: 'Looks at the tags just listed. Ends at once.',
          always: [{ guard: 'tagsDiffer', target: 'saving' }, { target: 'saved' }],
        },
        saving: {
          description: 'The whole set of tags is being written. A newer wish is written after this one.',
          entry: 'chooseTags',
          invoke: {
            id: 'saveTags',
            src: 'saveTags',
            input: ({ context }) => ({ instanceId: context.instance.id, tags: context.tagsInFlight ?? {} }),
            onDone: [
              {
                guard: { type: 'succeeded', params: ({ event }) => event.output },
                target: 'comparing',
                actions: 'noteTagsSaved',
              },
              { target: 'retrying' },
            ],
            onError: 'retrying',
          },
        },
        retrying: {
          description: 'The last write failed. Ends with a new try after a while.',
          after: { tagRetry: 'comparing' },
        },
      },
    },
  },
});

export type WorkerActor = ActorRefFrom<typeof workerMachine>;

export type WorkerSnapshot = SnapshotFrom<typeof workerMachine>;
