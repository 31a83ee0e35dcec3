import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, expect, it } from 'vitest';
import { LyingFleet } from '../support/lying-fleet.js';
import { lies, type Behaviour } from '../support/lying-server.js';

// LONGSHORE_LIES_MINUTES=6 lies for so long.
const minutes = Number(process.env['LONGSHORE_LIES_MINUTES'] ?? 0.5);
const patient = { timeout: 60_000, interval: 50 };
let fleet: LyingFleet | undefined;

afterEach(() => fleet?.stop());

/** Each time another half of as many made-up containers as are borne, with attempts that change. */
function changing(): Behaviour {
  let round = 0;
  return (request, honest) => {
    round++;
    const all = lies.madeUpIds(120, '', 'wired').trimEnd().split('\n');
    const half = all.filter((_, index) => (index + round) % 2 === 0);
    const lines = half.map((uuid) => `attempt ${uuid} ${round}\n${uuid}\n`).join('');
    return lies.adds(lines)(request, honest);
  };
}

function journalBytes(folder: string): number {
  const database = new Database(join(folder, 'state', 'longshore.db'), { readonly: true });
  try {
    const { bytes } = database
      .prepare('select sum(length(cast(entry as blob))) as bytes from journal')
      .get() as {
      bytes: number;
    };
    return bytes;
  } finally {
    database.close();
  }
}

it(
  'takes less than 1 MB a minute from an instance that changes what it lists with each answer',
  { timeout: 120_000 + minutes * 60_000 },
  async () => {
    fleet = await LyingFleet.start({ probeInterval: '200ms', pool: 'commandTimeout: 20s' });
    const work = await fleet.submit(60);
    await expect.poll(() => fleet!.isComplete(work), patient).toBe(true);
    const [, liar] = fleet.liars[0]!;
    const before = journalBytes(fleet.app.folder);
    liar.lie('list', changing());
    liar.lie('collect', lies.hangs);
    const endAt = Date.now() + minutes * 60_000;
    const asked = liar.asked.length;
    await expect
      .poll(() => Date.now() >= endAt, { timeout: minutes * 60_000 + 10_000, interval: 500 })
      .toBe(true);
    const written = journalBytes(fleet.app.folder) - before;
    if (minutes > 1)
      console.log(`${written} bytes in ${minutes} minutes, ${liar.asked.length - asked} commands`);
    expect(liar.asked.length - asked).toBeGreaterThan(10);
    expect(written).toBeLessThan(1_000_000 * Math.max(1, minutes));
  },
);
