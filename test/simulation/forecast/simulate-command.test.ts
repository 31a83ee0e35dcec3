import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../../../src/cli/program.js';
import * as forecasting from '../../../src/simulation/forecast/forecast.js';
import * as tables from '../../../src/simulation/forecast/table.js';
import { replayFile } from '../../../src/journal/replay/replay-file.js';
import { keepScreenshot, launchChromium } from '../../support/chromium.js';
import type { Forecast } from '../../../src/simulation/forecast/forecast-result.js';

const configText = (timeoutIdle: string): string => `
clusterId: zzzzz
driver: ec2
managementToken: env:NOBODY_SETS_THIS
driverParameters: { region: us-east-1, accessKeyId: 'env:NOBODY_SETS_THIS_EITHER' }
pool: { timeoutIdle: ${timeoutIdle} }
instanceTypes:
  small: { vcpus: 2, ram: 8GiB, includedScratch: 50GiB, price: 0.1 }
  "large": { vcpus: 8, ram: 32GiB, includedScratch: 200GiB, price: 0.4 }`;

const workload = `
hours: 1
generate:
  - { perHour: 24, sizes: [{ vcpus: 2, ram: 4GiB, duration: 6m }, { vcpus: 6, ram: 8GiB, duration: 10m }] }
containers:
  - { at: 30m, count: 3, vcpus: 2, ram: 4GiB, duration: 20m }`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'longshore-simulate-'));
  writeFileSync(join(folder, 'now.yaml'), configText('1m'));
  writeFileSync(join(folder, '<b>patient.yaml'), configText('20m'));
  writeFileSync(join(folder, 'work.yaml'), workload);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = (name: string): string => join(folder, name);

async function simulate(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const never = (): Promise<never> => Promise.reject(new Error('not asked for here'));
  const code = await runProgram(['--config', path('now.yaml'), 'simulate', ...argv], {
    serve: never,
    machineChart: () => '',
    stores: { migrate: never, copy: never },
    replayFile,
    offeredTypes: never,
    forecastParts: () => Promise.resolve({ ...forecasting, tables }),
    version: '0',
    output: { write: (text) => (out += text), error: (text) => (err += text), isTerminal: false },
    env: {},
  });
  return { code, out, err };
}

describe('longshore simulate', { timeout: 240_000 }, () => {
  it('says what a workload comes to, the same for the same seed, without any secret', async () => {
    const first = await simulate('--workload', path('work.yaml'), '--seed', '3', '--json');
    expect([first.code, first.err]).toEqual([0, '']);
    const { runs, hours } = JSON.parse(first.out) as Forecast;
    const { figures, violations, journalHash } = runs[0]!;
    expect([hours, violations]).toEqual([1, []]);
    expect(figures.containers.complete).toBe(figures.containers.total);
    expect(figures.containers.total).toBeGreaterThan(10);
    const { busy, idle, booting, leaving } = figures.costOf;
    expect(busy + idle + booting + leaving).toBeCloseTo(figures.cost);
    expect(figures.hours.reduce((sum, { cost }) => sum + cost, 0)).toBeCloseTo(figures.cost);
    expect([busy > 0, idle > 0, booting > 0]).toEqual([true, true, true]);
    expect(figures.instances.neverServed).toBe(0);
    expect(figures.waits.p50).toBeGreaterThan(1_000);
    const again = await simulate('--workload', path('work.yaml'), '--seed', '3', '--json');
    expect((JSON.parse(again.out) as Forecast).runs[0]!.journalHash).toBe(journalHash);
    const other = await simulate('--workload', path('work.yaml'), '--seed', '4', '--json');
    expect((JSON.parse(other.out) as Forecast).runs[0]!.journalHash).not.toBe(journalHash);
  });

  it('compares configurations in a report that a browser shows by itself, and keeps a journal to replay', async (context) => {
    const { code, out, err } = await simulate(
      ...['--workload', path('work.yaml'), '--compare', path('<b>patient.yaml'), '--by-hour'],
      ...['--report', path('out.html'), '--journal', path('run.jsonl')],
    );
    expect([code, err]).toEqual([0, `wrote ${path('out.html')}\n`]);
    const rows = new Map(out.split('\n').map((line) => [line.split('\t')[0]!, line.split('\t').slice(1)]));
    const idle = rows.get('  while none did')!.map((text) => Number(/\$([\d.]+)/.exec(text)![1]));
    // Who waits longer before giving instances back pays for it.
    expect(idle[1]).toBeGreaterThan(idle[0]!);
    const lines = readFileSync(path('run.jsonl'), 'utf8').trim().split('\n');
    const instance = lines
      .map((line) => JSON.parse(line) as { instance?: string })
      .find((entry) => entry.instance)!;
    const { steps } = await replayFile(path('run.jsonl'), instance.instance);
    expect(steps.length).toBeGreaterThan(5);
    expect(steps.filter(({ matches }) => !matches)).toEqual([]);

    const browser = await launchChromium(context);
    try {
      const page = await browser.newPage();
      const asked: string[] = [];
      const faults: string[] = [];
      page.on('request', (request) => void asked.push(request.url()));
      page.on('pageerror', (error) => void faults.push(String(error)));
      page.on('console', (message) => void (message.type() === 'error' && faults.push(message.text())));
      const url = pathToFileURL(path('out.html')).href;
      await page.goto(url);
      await page.waitForSelector('.uplot canvas');
      expect(await page.locator('.uplot canvas').count()).toBe(5);
      expect(await page.locator('h2').allTextContents()).toContain(`By the hour: ${path('<b>patient.yaml')}`);
      expect(await page.locator('table').first().locator('tbody tr').count()).toBeGreaterThan(10);
      expect(await page.locator('body').innerText()).toContain('broken invariants');
      await keepScreenshot(page, 'simulate-report');
      expect([faults, asked]).toEqual([[], [url]]);
    } finally {
      await browser.close();
    }
  });

  it('refuses what makes no sense, with exit status 2', async () => {
    const refused = async (...argv: string[]): Promise<string> => {
      const { code, err } = await simulate(...argv);
      expect(code).toBe(2);
      return err;
    };
    expect(await refused()).toContain("required option '--workload <file>'");
    expect(await refused('--workload', path('none.yaml'))).toContain('cannot be read (ENOENT)');
    expect(await refused('--workload', path('work.yaml'), '--hours', 'many')).toContain(
      '"many" is not a number',
    );
    expect(await refused('--workload', path('work.yaml'), '--compare', path('none.yaml'))).toContain(
      'none.yaml',
    );
  });
});
