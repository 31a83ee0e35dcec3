import { fromPromise } from 'xstate';
import type { Driver } from '../drivers/driver.js';
import type { OnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import { type Slots, inTurn } from '../async/semaphore.js';
import { cloudStepFailure } from './cloud-failure.js';

export interface DestroyInstanceDeps {
  /** Bounds its calls in time itself. */
  driver: Driver;
  /** How many destroy calls may be under way at once. */
  destroys: Slots;
}

/** Asks the cloud to destroy the instance; one that is gone already counts as done (S-1). */
export const destroyInstanceWith = ({ driver, destroys }: DestroyInstanceDeps) =>
  fromPromise<RemoteOutcome, OnInstance>(async ({ input, signal }) => {
    try {
      await inTurn(destroys, signal, () => driver.destroy(input.instanceId, { signal }));
      return { ok: true };
    } catch (error) {
      return cloudStepFailure(error);
    }
  });
