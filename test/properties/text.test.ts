import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../src/domain/duration.js';
import { containerUuidFrom, isContainerUuid } from '../../src/domain/ids.js';
import { quoteIfNeeded, singleQuote } from '../../src/domain/shell-quote.js';
import { formatSize, parseSize } from '../../src/domain/size.js';
import { parseRunnerListing } from '../../src/runner/parse-listing.js';

const uuid = fc
  .uint8Array({ minLength: 15, maxLength: 15 })
  .map((bytes) => containerUuidFrom('zzzzz', bytes));

describe('durations', () => {
  it('are read back as they were written', () => {
    const longest = 365 * 86_400_000;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: longest }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  it('are a number of milliseconds or an error that shows the text and a remedy', () => {
    const unit = fc.constantFrom('ms', 's', 'm', 'h', 'd', 'w', '');
    const part = fc.tuple(fc.float({ noNaN: true }), unit).map(([number, name]) => `${number}${name}`);
    const text = fc.oneof(
      fc.string(),
      fc.array(part, { maxLength: 4 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (each) => {
        try {
          const ms = parseDuration(each);
          expect(Number.isSafeInteger(ms) && ms >= 0).toBe(true);
        } catch (error) {
          expect((error as Error).message).toContain(`"${each}"`);
        }
      }),
    );
  });
});

describe('sizes', () => {
  it('are what their number and unit say', () => {
    const units = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
    const unit = fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[]));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8_000 }), unit, (count, name) => {
        expect(parseSize(`${count}${name}`)).toBe(count * units[name]);
        expect(parseSize(`${count} ${name}`)).toBe(count * units[name]);
      }),
    );
  });

  it('are shown within a thousandth of what they are', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 52 }), (bytes) => {
        expect(Math.abs(parseSize(formatSize(bytes)) - bytes)).toBeLessThanOrEqual(bytes / 1_000);
      }),
    );
  });

  it('are a whole number or an error that shows the text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(Number.isSafeInteger(parseSize(text))).toBe(true);
        } catch (error) {
          expect((error as Error).message).toContain(`"${text}"`);
        }
      }),
    );
  });
});

describe('quoting', () => {
  it('gives a shell the words unchanged, whatever is in them (K-26)', () => {
    const word = fc.string({ unit: fc.constantFrom(...`a b'"\\$\`!*?~#;&|<>(){}[]=%\n\t-é`), maxLength: 12 });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 30 }), (words) => {
        const both = words.flatMap((each) => [singleQuote(each), quoteIfNeeded(each)]);
        const script = `printf '%s\\0' ${both.map((each) => (each === '' ? "''" : each)).join(' ')}`;
        const said = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
        expect(said).toEqual(words.flatMap((each) => [each, each]));
      }),
      { numRuns: 25 },
    );
  });
});

describe('the list of a runner program', () => {
  it('is read line by line, and what nobody knows is passed over (P-13)', () => {
    const line = fc.oneof(
      uuid.map((id) => ({ text: id, kind: 'live', id })),
      uuid.map((id) => ({ text: `${id} stale`, kind: 'stale', id })),
      uuid.map((id) => ({ text: `${id} ended`, kind: 'ended', id })),
      uuid.map((id) => ({ text: `other${id.slice(5)}`, kind: 'nothing', id })),
      fc.constant({ text: 'broken', kind: 'broken', id: '' }),
      fc
        .string()
        .filter((text) => !/^(zzzzz|broken$|interruption )|\n/.test(text))
        .map((text) => ({ text, kind: 'nothing', id: '' })),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const listing = parseRunnerListing(lines.map(({ text }) => text).join('\n'), 'zzzzz');
        const idsOf = (kind: string) => lines.filter((each) => each.kind === kind).map(({ id }) => id);
        expect(listing).toEqual({
          live: idsOf('live'),
          stale: idsOf('stale'),
          ended: idsOf('ended'),
          broken: idsOf('broken').length > 0,
          interruption: '',
        });
      }),
    );
  });

  it('never yields anything but container ids, whatever a machine prints', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string().map((tail) => `zzzzz-dz642-${tail}`),
      uuid,
    );
    fc.assert(
      fc.property(fc.array(text), (lines) => {
        const { live, stale, ended } = parseRunnerListing(lines.join('\n'), 'zzzzz');
        expect([...live, ...stale, ...ended].every(isContainerUuid)).toBe(true);
      }),
    );
  });
});
