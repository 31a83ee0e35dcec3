import type { ConfigFile } from './schema.js';

/** What is allowed, and is to be seen by the operator at each start: sentences with the remedy. */
export function warningsOf({ pool, controller }: ConfigFile): string[] {
  const warnings: string[] = [];
  if (pool.plainSecretTag) {
    warnings.push(
      'pool.plainSecretTag: new instances have their secret in a tag, so whoever reads tags can pass as an instance: ' +
        'set false once the old dispatcher is not needed any more',
    );
  }
  if (controller.url !== '' && controller.withoutLock) {
    warnings.push(
      'controller.withoutLock: nothing keeps the old dispatcher from running at the same time, and each would cancel ' +
        "the other's containers: give controller.database",
    );
  }
  return warnings;
}
