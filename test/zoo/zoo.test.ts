import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';
import { kinds } from './kinds.js';
import { whyNoZoo } from './namespaces.js';
import { missingFor, playKind } from './play.js';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const program = [process.execPath, '--import', 'tsx', main];
const timeout = 300_000;

/** The others take minutes: `scripts/field` plays all. */
const chosen = kinds.filter(({ inSuite }) => inSuite);

describe.concurrent('a real host of the kind', () => {
  it.for(chosen)(
    '$name is as it should be in all that is done with it',
    { timeout },
    async (kind, { expect, skip }) => {
      const missing = missingFor(kind);
      const reason = whyNoZoo() ?? (missing && `${missing} is not installed`);
      if (reason !== undefined) return skip(reason);
      const { results } = await playKind(kind, program);
      const faults = results.flatMap(({ name, fault }) => (fault === undefined ? [] : [`${name}: ${fault}`]));
      expect(faults).toEqual([]);
    },
  );
});
