import { fromPromise } from 'xstate';
import type { Instance, Tags } from '../domain/instance.js';
import type { Driver } from '../drivers/driver.js';
import type { ListOutcome } from '../machines/cloud-effects.js';
import { cloudFailure } from './cloud-failure.js';

export interface ListInstancesDeps {
  driver: Driver;
  tags: Tags;
  /** Told of each list before anybody acts on it. Must not throw. */
  onListed?(instances: readonly Instance[]): void;
}

/** Asks the cloud for all instances with these tags (L-22). */
export const listInstancesWith = ({ driver, tags, onListed }: ListInstancesDeps) =>
  fromPromise<ListOutcome>(async ({ signal }) => {
    try {
      const instances = await driver.list(tags, { signal });
      onListed?.(instances);
      return { ok: true, instances };
    } catch (error) {
      return { ok: false, error: cloudFailure(error) };
    }
  });
