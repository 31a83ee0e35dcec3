import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { startPageWorld, type PageWorld } from '../support/page-world.js';

const injection = '<img src=x onerror="globalThis.injected=1"><script>globalThis.injected=1</script>';

describe('what containers say, on the page', { timeout: 120_000 }, () => {
  let world: PageWorld | undefined;

  beforeEach(async (context) => {
    world ??= await startPageWorld(context);
  });
  afterAll(() => world?.close());

  it('is text, whatever it looks like: names, reasons and output', async () => {
    const { page, logIn, open, problems } = await world!.visit();
    const script = `printf '\\033[31mred\\033[0m \\033[2Jand ${injection}\\n'`;
    const uuid = await world!.submit(script, { name: `\x1b[31m${injection}` });
    await logIn();
    await open(`containers/${uuid}`);
    const output = page.getByLabel('Output of the container');
    await output.getByText(`red and ${injection}`, { exact: true }).waitFor();
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain(injection);
    await open('containers');
    await page.getByRole('button', { name: 'complete' }).click();
    await page.getByRole('link', { name: injection }).waitFor();
    await open('');
    await page.getByLabel('Filter instances').fill(injection);
    expect(await page.evaluate('globalThis.injected')).toBeUndefined();
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it('may be a flood: the page keeps the end of it, and draws what is in sight', async () => {
    const { page, logIn, open, problems } = await world!.visit();
    const uuid = await world!.submit('seq -f "line %.0f" 60000; sleep 600');
    await logIn();
    await open(`containers/${uuid}`);
    const output = page.getByLabel('Output of the container');
    await output.getByText('line 60000', { exact: true }).waitFor({ timeout: 60_000 });
    expect(await output.getByRole('listitem').count()).toBeLessThan(100);
    await page.getByText('40000 earlier lines are not shown').waitFor();
    expect(problems).toEqual([]);
  });
});
