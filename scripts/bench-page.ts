// The page in Chromium: how soon it can be used, and how soon it shows what happened.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { chromium, type Page } from 'playwright-core';
import type { Daemon } from '../src/daemon/daemon.js';
import { noConstraints } from '../src/domain/container.js';
import { findTool } from '../test/support/tools.js';
import { startDaemon, token } from './bench-daemon.js';
import { percentile, print, until } from './bench-parts.js';

const loads = 10;
const orders = 30;
const executablePath = findTool('chromium');

/** Milliseconds from the request of the page to a list that can be used, with a thousand instances. */
async function loadTimes(page: Page, url: string): Promise<number[]> {
  const items = Array.from({ length: 1_000 }, (_, index) => ({
    instance: `i-${index}`,
    launch: `launch-${index}`,
    address: '10.0.0.1:22',
    type: 'small',
    providerType: 'small',
    state: 'idle',
    bootStage: null,
    idleBehavior: 'run',
    price: 0.1,
    containers: [],
    lastContainer: '',
    appearedAt: new Date().toISOString(),
    lastBusyAt: null,
  }));
  await page.route('**/v1/instances', (route) => route.fulfill({ json: { items } }));
  const times: number[] = [];
  for (let load = 0; load < loads; load++) {
    await page.goto('about:blank');
    await page.goto(`${url}/#/`);
    await page.getByRole('link', { name: 'i-0', exact: true }).waitFor();
    times.push(
      await page.evaluate(
        'new Promise((resolve) => requestAnimationFrame(() => setTimeout(() => resolve(performance.now()))))',
      ),
    );
  }
  await page.unroute('**/v1/instances');
  return times;
}

/** Milliseconds from an order that changed the statechart to its sight on the page. */
async function changeTimes(page: Page, { pool, journal }: Daemon, instance: string): Promise<number[]> {
  await page.evaluate(`
    globalThis.seen = [];
    const hold = document.querySelector('[data-state="idleBehavior.hold"]').classList;
    let wasHeld = hold.contains('active');
    new MutationObserver(() => {
      if (hold.contains('active') !== wasHeld) seen.push(Date.now());
      wasHeld = hold.contains('active');
    }).observe(document.querySelector('.chart'), { subtree: true, attributeFilter: ['class'] });
  `);
  for (let order = 1; order <= orders; order++) {
    pool.setIdleBehavior(instance, order % 2 === 1 ? 'hold' : 'run', 'bench');
    while ((await page.evaluate('seen.length')) !== order) await pause(5);
  }
  const seen: number[] = await page.evaluate('seen');
  const happened = (await journal.read({ kind: 'worker.behavior', instance })).map(({ at }) => at);
  return seen.map((at, index) => at - happened[index]!);
}

async function run(): Promise<void> {
  if (executablePath === undefined) return print('page', { skipped: 'chromium is not installed' });
  const folder = mkdtempSync(join(tmpdir(), 'longshore-bench-'));
  const daemon = await startDaemon(
    folder,
    `instanceTypes: { small: { vcpus: 2, ram: 1GiB, includedScratch: 1GiB, price: 0.1 } }
runner: { deployDirectory: ${join(folder, 'runner')} }`,
  );
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  const page = await browser.newPage();
  await page.goto(daemon.url);
  await page.getByLabel('Management token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('status').getByText('live', { exact: true }).waitFor();
  const times = await loadTimes(page, daemon.url);
  print('page with 1,000 instances, request to usable, ms', {
    p50: percentile(times, 0.5),
    max: percentile(times, 1),
    goal: 1_000,
  });
  await daemon.store.submit([
    {
      name: 'bench',
      command: ['sleep', '600'],
      env: {},
      image: '',
      cwd: '',
      constraints: { ...noConstraints, vcpus: 1 },
      scheduling: { preemptible: false, supervisor: false, maxRunTimeMs: 0 },
      tmpMountBytes: 0,
      priority: 1n,
      maxAttempts: 1,
      idempotencyKey: '',
    },
  ]);
  await page.goto(`${daemon.url}/#/`);
  await page.reload();
  const link = page.locator('.row.instance a.id').first();
  const instance = (await link.textContent())!;
  await link.click();
  await page.locator('[data-state="lifecycle.running"].active').waitFor();
  const delays = await changeTimes(page, daemon, instance);
  print('transition to its sight on the page, ms', {
    p50: percentile(delays, 0.5),
    max: percentile(delays, 1),
    goal: 200,
  });
  await browser.close();
  daemon.pool.killInstance(instance, 'bench is over');
  await until(async () => daemon.pool.instances().length === 0);
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
}

await run();
