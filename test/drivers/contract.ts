import { afterEach, beforeEach, describe, expect, type TestContext } from 'vitest';
import { faultCases } from './contract/fault-cases.js';
import {
  lag,
  options,
  spec,
  wrapped,
  type Ability,
  type ContractSubject,
  type ContractWorld,
} from './contract/fixtures.js';
import { lifeCases } from './contract/life-cases.js';
import { restartCases } from './contract/restart-cases.js';
import { tagCases } from './contract/tag-cases.js';

export { errorOf, loginKey, never, options, secret, spec, type, wrapped } from './contract/fixtures.js';
export type { Ability, CloudFault, ContractSubject } from './contract/fixtures.js';

/** What a driver of this kind cannot show, each with the reason; the table of drivers and cases prints it. */
export type Without = Partial<Record<Ability, string>>;

/**
 * What every driver has to do; run for each of them. Subjects have room for two instances and not for a third.
 * `hook` sees the context of each test first, and may skip it.
 */
export function describeDriverContract(
  name: string,
  open: () => Promise<ContractSubject>,
  without: Without = {},
  hook: (context: TestContext) => void = () => {},
): void {
  describe(`the driver contract: ${name}`, () => {
    const world = {} as ContractWorld;
    beforeEach(async (context) => {
      Object.assign(context.task.meta, { contract: { driver: name, without } });
      hook(context);
      const subject = await open();
      const driver = wrapped(subject.driver);
      const ids = async (): Promise<string[]> => (await driver.list({}, options)).map(({ id }) => id).sort();
      const find = async (id: string) => {
        const listed = async () => (await driver.list({}, options)).find((each) => each.id === id);
        await expect.poll(listed, lag).toBeDefined();
        return (await listed())!;
      };
      Object.assign(world, {
        subject,
        driver,
        wish: subject.spec ?? spec,
        ids,
        find,
        listed: (wanted: readonly string[]) => expect.poll(ids, lag).toEqual([...wanted].sort()),
      } satisfies ContractWorld);
    });
    afterEach(async () => world.subject?.end());

    const can = (ability: Ability): boolean => without[ability] === undefined;
    lifeCases(world);
    tagCases(world);
    faultCases(world, can);
    restartCases(world, can('reopen'));
  });
}
