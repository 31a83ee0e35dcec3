// The cases of the driver contract by driver, out of a JSON report of vitest.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import Table from 'cli-table3';

const heading = 'the driver contract: ';
const missingMark = 'MISSING';
const marks = { passed: 'ok', failed: 'FAILED' };
const abilities = {
  'rate-limited': 'says rate-limited',
  capacity: 'says capacity',
  auth: 'says auth',
  unavailable: 'says unavailable',
  silent: 'ends each call at its deadline',
  reopen: 'finds its instances after a restart',
};

/**
 * One line for each case, one column for each driver; below, why a driver passes over a case. `missing` counts the
 * cases that a driver did not run without giving a reason.
 */
export function contractTable(report) {
  const drivers = [];
  const reasons = new Map();
  const cases = new Map();
  for (const { ancestorTitles, title, status, meta } of report.testResults.flatMap(
    ({ assertionResults }) => assertionResults,
  )) {
    const suite = ancestorTitles.find((each) => each.startsWith(heading));
    if (!suite) continue;
    const driver = suite.slice(heading.length);
    if (!drivers.includes(driver)) drivers.push(driver);
    const row = cases.get(title) ?? new Map();
    cases.set(title, row.set(driver, marks[status] ?? `skipped: ${meta?.reason ?? 'no reason given'}`));
    for (const [ability, why] of Object.entries(meta?.contract?.without ?? {})) {
      reasons.set(`${driver}\n${ability}`, { driver, ability, why });
    }
  }
  if (drivers.length === 0) return { text: 'driver contract: no case was run', missing: 0 };
  const notes = [...new Set([...reasons.values()].map(({ why }) => why))];
  const table = new Table({
    head: ['driver contract', ...drivers],
    style: { head: [], border: [] },
    wordWrap: true,
  });
  let missing = 0;
  for (const [title, row] of cases) {
    const marked = drivers.map((driver) => row.get(driver) ?? absence(title, driver, reasons, notes));
    missing += marked.filter((mark) => mark === missingMark).length;
    table.push([title, ...marked]);
  }
  const lines = notes.map((why, index) => `  (${index + 1}) not shown there: ${why}`);
  return { text: [table.toString(), ...lines].join('\n'), missing };
}

function absence(title, driver, reasons, notes) {
  const found = [...reasons.values()].find(
    (each) => each.driver === driver && title.startsWith(abilities[each.ability] ?? '\0'),
  );
  return found ? `– (${notes.indexOf(found.why) + 1})` : missingMark;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { text, missing } = contractTable(JSON.parse(readFileSync(process.argv[2], 'utf8')));
  console.log(text);
  process.exitCode = missing > 0 ? 1 : 0;
}
