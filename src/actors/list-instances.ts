import { fromPromise } from 'xstate';
import type { Tags } from '../domain/instance.js';
import type { Driver } from '../drivers/driver.js';
import type { ListOutcome } from '../machines/cloud-effects.js';
import { cloudFailure } from './cloud-failure.js';

/** Asks the cloud for all instances with these tags (L-22). */
export const listInstancesWith = ({ driver, tags }: { driver: Driver; tags: Tags }) =>
  fromPromise<ListOutcome>(async ({ signal }) => {
    try {
      return { ok: true, instances: await driver.list(tags, { signal }) };
    } catch (error) {
      return { ok: false, error: cloudFailure(error) };
    }
  });
