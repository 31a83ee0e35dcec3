import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { keepScreenshot } from '../support/chromium.js';
import { startPageWorld, type PageWorld } from '../support/page-world.js';

describe('an instance on the page', { timeout: 120_000 }, () => {
  let world: PageWorld | undefined;
  let folder: string | undefined;
  /** A gate is a file: who waits at it goes on when it is there. */
  const gate = (name: string): string => join(folder!, name);
  const openGate = (name: string): Promise<void> => writeFile(gate(name), '');

  beforeEach(async (context) => {
    folder ??= await mkdtemp(join(tmpdir(), 'longshore-page-'));
    world ??= await startPageWorld(context, `test -e ${gate('booted')}`);
  });
  afterAll(async () => {
    await world?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  it('lights up state by state as it boots, runs what was submitted here, idles and is shut down', async () => {
    const { page, logIn, open, problems } = await world!.visit();
    await logIn();
    await page.getByRole('link', { name: 'Submit' }).click();
    await page.getByLabel(/^Command/).fill(`until test -e ${gate('ended')}; do sleep 0.1; done`);
    await page.getByLabel('Name', { exact: true }).fill('first');
    await keepScreenshot(page, 'submit');
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByRole('heading', { name: 'first' }).waitFor();
    await open('');
    await page.locator('.row.instance a.id').first().click();
    await watchChart(page);
    await page.locator('[data-state="lifecycle.booting"].active').waitFor();
    await openGate('booted');
    const lit = (): Promise<string[]> => page.evaluate('lit');
    await expect.poll(lit, { timeout: 20_000, interval: 50 }).toContain('lifecycle.running');
    await keepScreenshot(page, 'instance-running');
    await openGate('ended');
    await expect.poll(lit, { timeout: 60_000, interval: 100 }).toContain('lifecycle.shutdown');
    const life = ['lifecycle.booting', 'lifecycle.running', 'lifecycle.shutdown'];
    expect((await lit()).filter((each) => life.includes(each))).toEqual(life);
    expect(await lit()).toContain('lifecycle.idle');
    await keepScreenshot(page, 'instance-shutdown');
    await page.getByRole('link', { name: 'replay' }).click();
    await page.getByRole('heading', { name: 'Replay' }).waitFor();
    await watchChart(page);
    const next = page.getByRole('button', { name: 'next', exact: true });
    while (await next.isEnabled()) await page.keyboard.press('ArrowRight');
    expect((await lit()).filter((each) => life.includes(each))).toEqual(life);
    await page.getByText('all with the recorded result').waitFor();
    await keepScreenshot(page, 'replay');
    expect(problems).toEqual([]);
  });

  it('shows a held instance as held, to everybody, with who and why', async () => {
    await openGate('booted');
    const [one, two] = [await world!.visit(), await world!.visit()];
    await world!.submit('sleep 600', { name: 'busy' });
    for (const { logIn } of [one, two]) await logIn();
    for (const { page } of [one, two]) await page.locator('.row.instance a.id').first().click();
    await one.page.getByRole('button', { name: 'hold' }).click();
    const dialog = one.page.getByRole('dialog');
    await dialog.getByLabel('Reason').fill('looking at <b>its</b> disk');
    await keepScreenshot(one.page, 'hold-dialog');
    await dialog.getByRole('button', { name: 'hold' }).click();
    for (const { page } of [one, two]) {
      await page.locator('.heading .pill', { hasText: 'hold' }).waitFor();
      await page.getByLabel('Timeline').getByText('looking at <b>its</b> disk').first().waitFor();
      await page.locator('[data-state="idleBehavior.hold"].active').waitFor();
    }
    await two.page.getByRole('button', { name: 'run', exact: true }).click();
    await two.page.getByRole('dialog').getByRole('button', { name: 'run' }).click();
    await one.page.locator('[data-state="idleBehavior.run"].active').waitFor();
    expect([...one.problems, ...two.problems]).toEqual([]);
  });

  it('cancels a container with a reason, and offers the same one again', async () => {
    await openGate('booted');
    const uuid = await world!.submit('echo waiting; sleep 600', { name: 'to cancel' });
    const { page, logIn, open } = await world!.visit();
    await logIn();
    await open(`containers/${uuid}`);
    await page.getByText('Running', { exact: true }).first().waitFor();
    await page.getByLabel('Output').getByText('waiting').waitFor();
    await keepScreenshot(page, 'container-running');
    await page.getByRole('button', { name: 'cancel' }).click();
    await page.getByRole('dialog').getByLabel('Reason').fill('asked for by mistake');
    await page.getByRole('button', { name: 'cancel it' }).click();
    await page.locator('.heading .pill', { hasText: 'Cancelled' }).waitFor();
    await page.getByText('asked for by mistake').first().waitFor();
    await page.getByRole('link', { name: 'submit again' }).click();
    await expect.poll(() => page.getByLabel(/^Command/).inputValue()).toBe('echo waiting; sleep 600');
    expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('to cancel');
  });
});

/** Runs in the page: notes each state of the chart that lights up from now on, by its path, in that order. */
const noteLitStates = `
  globalThis.lit = [];
  const note = () => {
    for (const { dataset } of document.querySelectorAll('.chart [data-state].active'))
      if (!lit.includes(dataset.state)) lit.push(dataset.state);
  };
  note();
  new MutationObserver(note).observe(document.querySelector('.chart'), { subtree: true, attributeFilter: ['class'] });
`;

async function watchChart(page: Page): Promise<void> {
  await page.locator('.chart svg').waitFor();
  await page.evaluate(noteLitStates);
}
