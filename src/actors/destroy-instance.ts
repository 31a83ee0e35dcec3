import { fromPromise } from 'xstate';
import type { Driver } from '../drivers/driver.js';
import type { OnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import { cloudStepFailure } from './cloud-failure.js';

/** Asks the cloud to destroy the instance; one that is gone already counts as done (S-1). */
export const destroyInstanceWith = ({ driver }: { driver: Driver }) =>
  fromPromise<RemoteOutcome, OnInstance>(async ({ input, signal }) => {
    try {
      await driver.destroy(input.instanceId, { signal });
      return { ok: true };
    } catch (error) {
      return cloudStepFailure(error);
    }
  });
