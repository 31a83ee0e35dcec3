import { runnerSetup } from './runner-setup.js';

/**
 * One container on one instance, from the order to start it until its result is home (R-1..R-14). A child of its
 * worker; it never decides about the instance, it only reports.
 */
export const runnerMachine = runnerSetup.createMachine({
  id: 'runner',
  description: 'One container on one instance.',
  context: ({ input }) => ({ ...input, ending: 'missing' as const }),
  initial: 'alive',
  output: ({ context }) => ({ uuid: context.uuid, ending: context.ending }),
  states: {
    alive: {
      description: 'A process exists, may exist, or left a result that is not home yet.',
      type: 'parallel',
      states: {
        process: {
          description: 'What is known of the process.',
          initial: 'appearing',
          states: {
            appearing: {
              description: 'Decides by how the container came to be known. Ends at once (R-1, R-6).',
              always: [
                { guard: 'wasAssigned', target: 'starting' },
                { guard: 'hadEnded', target: 'collecting' },
                { target: 'running' },
              ],
            },
            starting: {
              description:
                'The start command is under way and is never cut short, as the runner program publishes its lock file last. Ends when the command returns: with it the container, when it is certain that nothing ran; else it may run, whatever the command said (R-2, R-4, R-5).',
              invoke: {
                id: 'startContainer',
                src: 'startContainer',
                input: ({ context }) => ({ instanceId: context.instanceId, uuid: context.uuid }),
                onDone: [
                  {
                    guard: { type: 'ranNothing', params: ({ event }) => event.output },
                    target: '#runner.ended',
                    actions: [
                      {
                        type: 'reportStartReturned',
                        params: ({ event }) => ({ outcome: event.output }),
                      },
                      { type: 'noteEnding', params: { ending: 'refused' } },
                    ],
                  },
                  {
                    guard: 'endedWhileStarting',
                    target: 'collecting',
                    actions: {
                      type: 'reportStartReturned',
                      params: ({ event }) => ({ outcome: event.output }),
                    },
                  },
                  {
                    target: 'running',
                    actions: {
                      type: 'reportStartReturned',
                      params: ({ event }) => ({ outcome: event.output }),
                    },
                  },
                ],
                onError: [
                  {
                    guard: 'endedWhileStarting',
                    target: 'collecting',
                    actions: { type: 'reportStartFault', params: ({ event }) => ({ error: event.error }) },
                  },
                  {
                    target: 'running',
                    actions: { type: 'reportStartFault', params: ({ event }) => ({ error: event.error }) },
                  },
                ],
              },
              initial: 'unseen',
              states: {
                unseen: {
                  description:
                    'Nobody saw the process yet. A probe that does not list it means nothing here (P-18).',
                  on: { 'process.listed': 'seen', 'process.ended': 'over', 'process.missing': {} },
                },
                seen: {
                  description: 'A probe or the watch saw the process before the command returned.',
                  on: {
                    'process.listed': {},
                    'process.ended': 'over',
                    'process.missing': {
                      target: '#runner.ended',
                      actions: { type: 'noteEnding', params: { ending: 'missing' } },
                    },
                  },
                },
                over: {
                  description: 'The process ended before the command returned.',
                  on: { 'process.listed': {}, 'process.ended': {}, 'process.missing': {} },
                },
              },
            },
            running: {
              description:
                'The process is taken to be alive. Ends when a probe or the watch says otherwise, or a TERM found it gone (R-7, R-10, R-13).',
              on: {
                'process.listed': {},
                'process.ended': 'collecting',
                'process.missing': {
                  target: '#runner.ended',
                  actions: { type: 'noteEnding', params: { ending: 'missing' } },
                },
              },
            },
            collecting: {
              description:
                'The process ended; its result is brought to the queue before anything may destroy the instance. Ends with the result durable, or when it could not be had for too long.',
              entry: 'reportEnding',
              after: {
                collectTimeout: {
                  target: '#runner.ended',
                  actions: [{ type: 'noteEnding', params: { ending: 'lost' } }, 'reportGaveUp'],
                },
              },
              initial: 'asking',
              states: {
                asking: {
                  description: 'One try to collect is under way; it has a deadline of its own.',
                  invoke: {
                    id: 'collectResult',
                    src: 'collectResult',
                    input: ({ context }) => ({ instanceId: context.instanceId, uuid: context.uuid }),
                    onDone: [
                      {
                        guard: { type: 'succeeded', params: ({ event }) => event.output },
                        target: '#runner.ended',
                        actions: { type: 'noteEnding', params: { ending: 'collected' } },
                      },
                      { target: 'pausing' },
                    ],
                    onError: 'pausing',
                  },
                },
                pausing: {
                  description: 'The last try failed. Ends after a pause.',
                  after: { collectRetry: 'asking' },
                },
              },
              on: {
                'process.listed': {},
                'process.ended': {},
                'process.missing': {},
              },
            },
          },
        },
        stop: {
          description: 'Whether somebody wants the process gone.',
          initial: 'notAsked',
          states: {
            notAsked: {
              description: 'Nobody wants it gone. Ends with the first order to kill (R-8).',
              on: { kill: 'terminating' },
            },
            terminating: {
              description:
                'TERM is sent at once and at each signal interval until the process is gone (R-13). Ends by giving up after the TERM timeout (R-9, R-12, R-14). Further orders change nothing.',
              always: { guard: 'isCollecting', target: 'notNeeded' },
              after: { termTimeout: 'unkillable' },
              on: { kill: {} },
              initial: 'beating',
              states: {
                beating: {
                  description: 'One beat of the signal interval. Ends with the next beat.',
                  after: { signalInterval: { target: 'beating', reenter: true } },
                  initial: 'sending',
                  states: {
                    sending: {
                      description: 'One TERM is on its way. Success says that the process is gone (R-10).',
                      invoke: {
                        id: 'killContainer',
                        src: 'killContainer',
                        input: ({ context }) => ({ instanceId: context.instanceId, uuid: context.uuid }),
                        onDone: [
                          {
                            guard: { type: 'succeeded', params: ({ event }) => event.output },
                            target: 'confirmed',
                          },
                          { target: 'sent' },
                        ],
                        onError: 'sent',
                      },
                    },
                    sent: {
                      description: 'The process was still there. Ends with the next beat.',
                    },
                    confirmed: {
                      description:
                        'The process is gone. A start command that has not returned may still bring it back, so that case waits for the next beat (R-11).',
                      always: [
                        { guard: 'isRunningAndCollects', target: 'leaving' },
                        {
                          guard: 'isRunning',
                          target: '#runner.ended',
                          actions: { type: 'noteEnding', params: { ending: 'killed' } },
                        },
                      ],
                    },
                    leaving: {
                      description: 'The process is gone and left a result. Ends when that is collected.',
                      entry: 'raiseProcessEnded',
                    },
                  },
                },
              },
            },
            unkillable: {
              description:
                'TERM did not help in time; the worker was told. A new order tries again (R-14, K-13).',
              entry: 'reportGaveUp',
              on: { kill: 'terminating' },
            },
            notNeeded: {
              description:
                'The process was to be stopped and ended; its result is being collected. Nothing is to be stopped any more (R-13).',
              on: { kill: {} },
            },
          },
        },
      },
    },
    ended: {
      description: 'The container is over on this instance.',
      type: 'final',
    },
  },
});
