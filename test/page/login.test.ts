import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { startPageWorld, type PageWorld } from '../support/page-world.js';
import { managementToken } from '../support/in-process.js';

describe('the login of the page', { timeout: 60_000 }, () => {
  let world: PageWorld | undefined;

  beforeEach(async (context) => {
    world ??= await startPageWorld(context);
  });
  afterAll(() => world?.close());

  it('refuses a wrong token, takes the right one, and gives a cookie no script can read', async () => {
    const { page, context, open, problems } = await world!.visit();
    await open('');
    await page.getByLabel('Management token').fill('wrong');
    await page.getByRole('button', { name: 'Log in' }).click();
    expect(await page.getByRole('alert').textContent()).toContain('not the management token');
    await page.getByLabel('Management token').fill(managementToken);
    await page.keyboard.press('Enter');
    await page.getByRole('status').getByText('live', { exact: true }).waitFor();
    const cookies = await context.cookies();
    expect(cookies).toEqual([
      expect.objectContaining({ name: 'longshore_session', httpOnly: true, sameSite: 'Strict' }),
    ]);
    expect(JSON.stringify(cookies)).not.toContain(managementToken);
    expect(await page.evaluate('document.cookie')).toBe('');
    expect(problems).toEqual([]);
  });

  it('takes no order that another site could send with the cookie', async () => {
    const { context, logIn } = await world!.visit();
    await logIn();
    const body = { containers: [{ vcpus: 1, command: ['true'] }] };
    const url = `${world!.app.daemon.url}/v1/containers`;
    const refused = await context.request.post(url, { data: body });
    expect([refused.status(), await refused.text()]).toEqual([
      403,
      expect.stringContaining('x-longshore-page'),
    ]);
    const taken = await context.request.post(url, { data: body, headers: { 'x-longshore-page': '1' } });
    expect(taken.status()).toBe(201);
  });

  it('forbids scripts, styles and frames of others', async () => {
    const { headers } = await world!.app.ask('/', { headers: {} });
    const policy = headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
  });

  it('asks to log in again when the login has ended', async () => {
    const { page, context, logIn, open } = await world!.visit();
    await logIn();
    await context.clearCookies();
    await open('containers');
    await page.getByLabel('Management token').waitFor();
    await logIn();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Management token').waitFor();
    expect(await context.cookies()).toEqual([]);
  });
});
