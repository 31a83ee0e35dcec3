import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CreateSpec } from '../../src/drivers/driver.js';
import { readInstancePage } from '../../src/drivers/ec2/instance-reader.js';
import { ec2Tags, userData } from '../../src/drivers/ec2/run-instances.js';

/** What XML 1.0 can say at all. */
const legal = fc
  .string({ unit: 'binary', maxLength: 40 })
  .filter((text) => !/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u.test(text));
const tags = fc.dictionary(
  legal.filter((key) => key !== '' && key !== '__proto__'),
  legal,
  { maxKeys: 8 },
);

const escape = (text: string): string =>
  text.replaceAll(/[&<>"'\r\t\n]/g, (each) => `&#${each.codePointAt(0)};`);

function reply(fleet: readonly Record<string, string>[]): string {
  const items = fleet.map((each, at) => {
    const set = ec2Tags(each).map(
      ({ Key = '', Value = '' }) => `<item><key>${escape(Key)}</key><value>${escape(Value)}</value></item>`,
    );
    return `<item><instanceId>i-${at}</instanceId><tagSet>${set.join('')}</tagSet></item>`;
  });
  return `<?xml version="1.0"?><DescribeInstancesResponse><reservationSet><item><instancesSet>${items.join('')}</instancesSet></item></reservationSet></DescribeInstancesResponse>`;
}

/** The document as it may arrive: in pieces that end anywhere, also within a character. */
async function* inPieces(text: string, length: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

it('reads tags of EC2 instances as they were set, whatever is in them and however the answer is cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(tags, { maxLength: 4 }),
      fc.integer({ min: 1, max: 200 }),
      async (fleet, length) => {
        const { instances } = await readInstancePage(inPieces(reply(fleet), length));
        expect(instances.map((each) => ({ ...each.tags }))).toEqual(fleet.map((each) => ({ ...each })));
      },
    ),
  );
});

it('hands the init command to EC2 instances unchanged', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (command) => {
      const text = Buffer.from(userData([{ initCommand: command } as CreateSpec]), 'base64').toString('utf8');
      expect(text).toBe(`#!/bin/sh\n${command}\n`);
    }),
  );
});
