import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { keepScreenshot } from '../support/chromium.js';
import { startPageWorld, type PageWorld } from '../support/page-world.js';

interface Finding {
  id: string;
  impact: string;
  nodes: { target: string[] }[];
}

/** What axe finds that keeps people out, with the first place of each. */
async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const findings: Finding[] = await page.evaluate('axe.run().then(({ violations }) => violations)');
  return findings
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.target.join(' ')}`);
}

describe('the looks of the page', { timeout: 120_000 }, () => {
  let world: PageWorld | undefined;
  let uuid = '';

  beforeEach(async (context) => {
    world ??= await startPageWorld(context);
    uuid ||= await world.submit('echo hello; echo oh >&2; sleep 600', { name: 'long' });
  });
  afterAll(() => world?.close());

  /** Each view by its address, and what is to be seen there before it is looked at. */
  const views = (instance: string): [name: string, address: string, sight: string][] => [
    ['fleet', '', '.row.instance'],
    ['instance', `instances/${instance}`, '.chart .active'],
    ['replay', `instances/${instance}/replay`, '.step'],
    ['containers', 'containers', 'main a.id'],
    ['container', `containers/${uuid}`, '.log .virtual-row'],
    ['submit', 'submit', 'form'],
    ['costs', 'costs', 'main canvas, main table'],
  ];

  it.each(['light', 'dark'] as const)('keep nobody out, in %s colours', async (colorScheme) => {
    const { page, logIn, open, problems } = await world!.visit({ colorScheme });
    await open('');
    await page.getByLabel('Management token').waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await logIn();
    const instance = (await page.locator('.row.instance a.id').first().textContent())!;
    for (const [name, address, sight] of views(instance)) {
      await open(address);
      await page.locator(sight).first().waitFor();
      expect([name, ...(await seriousFindings(page))]).toEqual([name]);
      await keepScreenshot(page, `${name}-${colorScheme}`);
    }
    expect(problems).toEqual([]);
  });

  it('fit a narrow screen', async () => {
    const { page, logIn, open } = await world!.visit({ width: 360 });
    await logIn();
    const instance = (await page.locator('.row.instance a.id').first().textContent())!;
    for (const [name, address, sight] of views(instance)) {
      await open(address);
      await page.locator(sight).first().waitFor();
      expect([name, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([name, 360]);
      await keepScreenshot(page, `${name}-narrow`);
    }
  });

  it('can be used by keyboard alone', async () => {
    const { page, logIn } = await world!.visit();
    await logIn();
    await page.locator('.row.instance').first().waitFor();
    const tabTo = async (name: string): Promise<void> => {
      for (let presses = 0; presses < 40; presses++) {
        await page.keyboard.press('Tab');
        if ((await page.evaluate('document.activeElement.textContent.trim()')) === name) return;
      }
      expect.fail(`${name} cannot be reached by the tab key`);
    };
    await tabTo((await page.locator('.row.instance a.id').first().textContent())!);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'hold' }).waitFor();
    await tabTo('hold');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    expect(await page.evaluate('document.activeElement.closest("dialog") !== null')).toBe(true);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  it('come over the wire in less than 300 KB', async () => {
    const { page, context, logIn } = await world!.visit();
    const session = await context.newCDPSession(page);
    let bytes = 0;
    await session.send('Network.enable');
    session.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
    await logIn();
    await page.locator('.row.instance').first().waitFor();
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(300_000);
  });
});
