import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseWatchLine } from '../../src/actors/watch.js';
import { parseRunnerListing } from '../../src/runner/parse-listing.js';
import { CollectError, parseCollected } from '../../src/runner/collected-result.js';

const uuid = 'zzzzz-dz642-000000000000001';
const anyText = fc.string({ unit: 'binary', maxLength: 200 });
/** Text made of the words of the protocol, in any order: far likelier to go wrong than noise. */
const nearlyRight = fc
  .array(
    fc.constantFrom(
      uuid,
      'zzzzz',
      ' ',
      '\n',
      'broken',
      'stale',
      'ended',
      'started',
      'interruption',
      '\r',
      '-',
    ),
  )
  .map((parts) => parts.join(''));

describe('the listing of a runner program', () => {
  it('knows live, stale, ended, broken and interruption, and passes over the rest (T-41, P-13)', () => {
    const lines = [
      'broken',
      'broken-because \u001b[2Jthe disk is full ',
      uuid,
      'zzzzz-dz642-000000000000002 stale',
      'zzzzz-dz642-000000000000003 ended',
      'zzzzz-dz642-000000000000004 odd',
      'aaaaa-dz642-000000000000005',
      'broken ',
      '',
      'interruption {"action":"stop"}',
      `attempt ${uuid} 2`,
      `attempt ${uuid} x`,
      'attempt aaaaa-dz642-000000000000005 2',
      'attempt zzzzz-nonsense 2',
    ];
    expect(parseRunnerListing(lines.join('\n'), 'zzzzz')).toEqual({
      live: [uuid],
      stale: ['zzzzz-dz642-000000000000002'],
      ended: ['zzzzz-dz642-000000000000003'],
      attempts: { [uuid]: 2 },
      broken: true,
      brokenReason: '[2Jthe disk is full',
      interruption: '{"action":"stop"}',
    });
  });

  it('never throws, and never tells of a container of another cluster (P-13)', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, nearlyRight), (text) => {
        const { live, stale, ended, interruption } = parseRunnerListing(text, 'zzzzz');
        for (const id of [...live, ...stale, ...ended]) expect(id).toMatch(/^zzzzz-dz642-[a-z0-9]{15}$/);
        expect(interruption.length).toBeLessThanOrEqual(300);
      }),
    );
  });
});

describe('a line of a watch', () => {
  it('is an event, or nothing', () => {
    expect(parseWatchLine('attached', 'zzzzz')).toEqual({ type: 'watch.attached' });
    expect(parseWatchLine('broken', 'zzzzz')).toEqual({ type: 'watch.broken' });
    const reason = 'cannot write to /var/lib/longshore: No space left on device';
    expect(parseWatchLine(`broken ${reason}\u001b[31m${'x'.repeat(900)}`, 'zzzzz')).toEqual({
      type: 'watch.broken',
      reason: `${reason} [31m${'x'.repeat(300 - reason.length - 5)}`,
    });
    expect(parseWatchLine(`started ${uuid}`, 'zzzzz')).toEqual({ type: 'watch.started', uuid });
    expect(parseWatchLine(`ended ${uuid}`, 'zzzzz')).toEqual({ type: 'watch.ended', uuid });
    for (const line of [
      'alive',
      '',
      `ended ${uuid} x`,
      `ended ${uuid}`.replace('zzzzz', 'aaaaa'),
      `odd ${uuid}`,
    ])
      expect(parseWatchLine(line, 'zzzzz')).toBeUndefined();
  });

  it('never throws, and never tells of a container of another cluster (P-13)', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, nearlyRight), (line) => {
        const event = parseWatchLine(line, 'zzzzz');
        if (event && 'uuid' in event) expect(event.uuid).toMatch(/^zzzzz-dz642-[a-z0-9]{15}$/);
      }),
    );
  });
});

describe('a collected result', () => {
  const header = {
    uuid,
    exitCode: 0,
    startedAt: 1,
    finishedAt: 2,
    stdoutBytes: 2,
    stderrBytes: 0,
    timedOut: false,
    truncated: false,
    note: '',
  };
  const print = (changes: object, stdout = 'aGk=', stderr = ''): string =>
    `${JSON.stringify({ ...header, ...changes })}\n${stdout}\n${stderr}\n`;

  it('is read', () => {
    expect(parseCollected(uuid, print({}))).toEqual({
      exitCode: 0,
      hostTimes: { startedAt: 1, finishedAt: 2 },
      note: '',
      stdout: 'hi',
      stderr: '',
      isLost: false,
    });
    expect(parseCollected(uuid, print({ durationMs: 7, endedAgoMs: 8 }))).toMatchObject({
      durationMs: 7,
      endedAgoMs: 8,
    });
    expect(parseCollected(uuid, print({ lost: true })).isLost).toBe(true);
    expect(parseCollected(uuid, print({ truncated: true, note: 'a' })).note).toBe(
      'a; output beyond the limit was dropped',
    );
  });

  it('is refused when it is of another container, damaged, or incomplete', () => {
    for (const text of [
      '',
      'garbage',
      print({ exitCode: 256 }),
      print({ uuid: 'aaaaa-dz642-000000000000001' }),
      print({}, 'aA=='),
      print({ stderrBytes: 5 }),
    ])
      expect(() => parseCollected(uuid, text)).toThrow(CollectError);
  });

  it('is read or refused with the one error, whatever is printed', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(() => parseCollected(uuid, text)).toThrow(CollectError);
      }),
    );
  });
});
