import { fromPromise } from 'xstate';
import type { Tags } from '../domain/instance.js';
import type { Driver } from '../drivers/driver.js';
import type { OnInstance, RemoteOutcome } from '../machines/worker-effects.js';
import { type Slots, inTurn } from '../async/semaphore.js';
import { cloudStepFailure } from './cloud-failure.js';

export interface SaveTagsDeps {
  /** Bounds its calls in time itself. */
  driver: Driver;
  /** How many tag calls may be under way at once. */
  tagWrites: Slots;
}

/** Writes the whole tag map of the instance (I-8). */
export const saveTagsWith = ({ driver, tagWrites }: SaveTagsDeps) =>
  fromPromise<RemoteOutcome, OnInstance & { tags: Tags }>(async ({ input, signal }) => {
    try {
      await inTurn(tagWrites, signal, () => driver.setTags(input.instanceId, input.tags, { signal }));
      return { ok: true };
    } catch (error) {
      return cloudStepFailure(error);
    }
  });
