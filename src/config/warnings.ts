import type { ConfigFile } from './schema.js';

/** Returns warnings about allowed but risky settings, with remedies, for each start. */
export function warningsOf({ pool, controller, driver, scheduler }: ConfigFile): string[] {
  const warnings: string[] = [];
  if (driver === 'loopback') {
    warnings.push(
      "driver loopback: it is for trusted work only, as containers without an image run with the daemon's own rights: " +
        'they can read its token, its keys and the work of other containers: use another driver for the work of others',
    );
  } else if (
    driver !== 'simulated' &&
    controller.url === '' &&
    scheduler.maxRunningContainersPerInstance !== 1
  ) {
    warnings.push(
      'scheduler.maxRunningContainersPerInstance: containers without an image that share an instance can read the output ' +
        'and environment of one another and forge results: set 1 unless they trust each other',
    );
  }
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
