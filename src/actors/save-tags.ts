import { fromPromise } from 'xstate';
import type { Tags } from '../domain/instance.js';
import type { Driver } from '../drivers/driver.js';
import type { OnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import { cloudStepFailure } from './cloud-failure.js';

/** Writes the whole tag map of the instance (I-8). */
export const saveTagsWith = ({ driver }: { driver: Driver }) =>
  fromPromise<RemoteOutcome, OnInstance & { tags: Tags }>(async ({ input, signal }) => {
    try {
      await driver.setTags(input.instanceId, input.tags, { signal });
      return { ok: true };
    } catch (error) {
      return cloudStepFailure(error);
    }
  });
