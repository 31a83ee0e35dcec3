import { fromPromise } from 'xstate';
import type { Instance, Tags } from '../domain/instance.js';
import type { InstanceType } from '../domain/instance-type.js';
import type { Driver } from '../drivers/driver.js';
import type { ListOutcome } from '../machines/cloud-effects.js';
import { cloudFailure } from './cloud-failure.js';

export interface ListInstancesDeps {
  driver: Driver;
  tags: Tags;
  /** What the instance was made as. */
  typeOf(instance: Instance): InstanceType;
  /** Told of each list before anybody acts on it. Must not throw. */
  onListed?(instances: readonly Instance[]): void;
}

/** Asks the cloud for all instances with these tags, with what spot instances cost, added scratch included (L-22, DI-13). */
export const listInstancesWith = ({ driver, tags, typeOf, onListed }: ListInstancesDeps) =>
  fromPromise<ListOutcome>(async ({ signal }) => {
    try {
      const listed = await driver.list(tags, { signal });
      const instances = listed.map((each) =>
        each.priceHistory.length > 0
          ? { ...each, priceHistory: driver.priceHistory(each, typeOf(each)) }
          : each,
      );
      onListed?.(instances);
      return { ok: true, instances };
    } catch (error) {
      return { ok: false, error: cloudFailure(error) };
    }
  });
