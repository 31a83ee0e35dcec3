import { createActor, fromPromise } from 'xstate';
import { expect, it } from 'vitest';
import { dispatcherMachine } from '../../src/machines/dispatcher.js';
import { HeapClock, settle } from '../../src/simulation/heap-clock.js';

it('lets others have their turn though each pass changes something and is refused something (UL-3)', async () => {
  const clock = new HeapClock(0);
  let passes = 0;
  const machine = dispatcherMachine.provide({
    actors: { fetchQueue: fromPromise(async () => {}), poolLoaded: fromPromise(async () => {}) },
  });
  const actor = createActor(machine, {
    clock,
    input: {
      port: {
        runPass: () => {
          passes++;
          if (passes > 1_000) throw new Error('the passes never end');
          actor.send({ type: 'operation.refused' });
          queueMicrotask(() => actor.send({ type: 'world.changed' }));
        },
        mayHaveStaleLocks: () => false,
        lastFetchMs: () => 0,
        passPauseMs: () => 5,
        idlePassIntervalMs: () => 10_000,
        unlockStale: () => {},
        noteFetchFailure: () => {},
      },
      pollIntervalMs: 10_000,
      staleLockTimeoutMs: 1_000,
    },
  });
  actor.start();
  await settle();
  // All without a moment passing.
  expect(passes).toBe(1);
  actor.stop();
});
