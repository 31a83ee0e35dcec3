// Runs the checks, then the tests, and counts both.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contractTable } from './contract-table.mjs';

const isCi = process.env.CI === 'true';
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const checks = ['build', 'typecheck', 'lint', 'format:check', 'knip', 'charts:check', 'words:check'];
let passed = 0;
let failed = 0;
let skipped = 0;

for (const check of checks) {
  const { status } = spawnSync(npm, ['run', '--silent', check], { stdio: ['ignore', 'inherit', 'inherit'] });
  console.log(`check ${check}: ${status === 0 ? 'ok' : 'failed'}`);
  if (status === 0) passed++;
  else failed++;
}

const folder = mkdtempSync(join(tmpdir(), 'longshore-test-'));
const report = join(folder, 'report.json');
const output = mkdtempSync(join(tmpdir(), 'longshore-test-output-'));
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const args = [vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
spawnSync(process.execPath, [...args, ...process.argv.slice(2)], {
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { LONGSHORE_TEST_OUTPUT: output, ...process.env },
});
try {
  const result = JSON.parse(readFileSync(report, 'utf8'));
  passed += result.numPassedTests;
  failed += result.numFailedTests;
  const suites = result.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  failed += suites.length;
  const passedOver = result.testResults.flatMap(({ assertionResults }) => {
    return assertionResults.filter(
      ({ status }) => status === 'skipped' || status === 'pending' || status === 'todo',
    );
  });
  const contract = contractTable(result);
  console.log(contract.text);
  failed += contract.missing;
  for (const { fullName, meta } of passedOver) console.log(`skipped: ${fullName} ${meta?.reason ?? ''}`);
  if (isCi) failed += passedOver.length;
  else skipped = passedOver.length;
  if (!result.success && failed === 0) failed++;
} catch (error) {
  console.log(`the test run left no report: ${error.message}`);
  failed++;
}
rmSync(folder, { recursive: true, force: true });
const pictures = readdirSync(output);
if (pictures.length > 0) console.log(`pictures of the page: ${output}`);
else rmSync(output, { recursive: true });
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed === 0 ? 0 : 1;
