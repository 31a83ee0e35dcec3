import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { startPageWorld, type PageWorld } from '../support/page-world.js';
import { startTcpProxy } from '../support/tcp-proxy.js';

describe('the fleet on the page', { timeout: 120_000 }, () => {
  let world: PageWorld | undefined;

  beforeEach(async (context) => {
    world ??= await startPageWorld(context);
  });
  afterAll(() => world?.close());

  it('shows ten thousand instances, drawing those in sight', async () => {
    const { page, logIn, problems } = await world!.visit();
    const items = Array.from({ length: 10_000 }, (_, index) => instance(index));
    await page.route('**/v1/instances', (route) => route.fulfill({ json: { items } }));
    await logIn();
    const list = page.getByRole('region', { name: 'Instances', exact: true }).last();
    await list.getByRole('link', { name: 'i-00000', exact: true }).waitFor();
    await page.getByLabel('Figures').getByText('10000', { exact: true }).waitFor();
    expect(await list.getByRole('listitem').count()).toBeLessThan(100);
    await list.focus();
    await page.keyboard.press('End');
    await list.getByRole('link', { name: 'i-09999' }).waitFor();
    await page.getByLabel('Filter instances').fill('i-0777');
    await list.getByRole('link', { name: 'i-07770' }).waitFor();
    expect(await list.getByRole('listitem').count()).toBe(10);
    await page.getByLabel('State', { exact: true }).selectOption('running');
    await expect.poll(() => list.getByRole('listitem').count()).toBe(5);
    expect(problems).toEqual([]);
  });

  it('shows quarantined instances with the reason and the strikes, and clears one by an order with a reason', async () => {
    const { page, logIn, problems } = await world!.visit();
    const since = new Date(Date.now() - 120_000).toISOString();
    const because = 'it named 2000 containers <b>that it was never given</b>';
    const conduct = { strikes: { list: 1, claim: 3 }, claimsRefused: 7, bytesLeftOut: 512 };
    const liar = { ...instance(2), idleBehavior: 'drain', quarantine: { since, because }, conduct };
    const items = [instance(0), instance(1), liar];
    await page.route('**/v1/instances', (route) => route.fulfill({ json: { items } }));
    const orders: unknown[] = [];
    await page.route('**/v1/instances/i-00002/clear-quarantine', (route) => {
      orders.push(route.request().postDataJSON());
      return route.fulfill({ json: {} });
    });
    await logIn();
    const list = page.getByRole('region', { name: 'Instances', exact: true }).last();
    await list.getByRole('link', { name: 'i-00001', exact: true }).waitFor();
    await page.getByLabel('State', { exact: true }).selectOption('quarantine');
    await expect.poll(() => list.getByRole('listitem').count()).toBe(1);
    await list.getByText('quarantine', { exact: true }).waitFor();
    await list.getByRole('link', { name: 'i-00002', exact: true }).click();
    const card = page.getByRole('region', { name: 'Quarantine', exact: true });
    for (const text of [because, '1 list, 3 claim', '7', '512'])
      await card.getByText(text, { exact: true }).waitFor();
    await card.getByRole('button', { name: 'clear quarantine' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Reason').fill('inspected');
    await dialog.getByRole('button', { name: 'clear', exact: true }).click();
    await dialog.waitFor({ state: 'hidden' });
    expect(orders).toEqual([{ reason: 'inspected' }]);
    expect(problems).toEqual([]);
  });

  it('says that the connection is lost, and goes on where it was when it is back', async () => {
    const { port } = new URL(world!.app.daemon.url);
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(port) });
    try {
      const { page, logIn } = await world!.visit({ url: `http://127.0.0.1:${proxy.port}` });
      await logIn();
      proxy.cut();
      await page.getByRole('status').getByText('connection lost').waitFor();
      await world!.submit('sleep 600', { name: 'meanwhile' });
      proxy.heal();
      await page.getByRole('status').getByText('live', { exact: true }).waitFor();
      await page.locator('.row.instance').getByText('running').first().waitFor();
      await page.getByRole('link', { name: 'Containers' }).click();
      await page.getByRole('link', { name: 'meanwhile' }).waitFor();
    } finally {
      await proxy.close();
    }
  });

  it('draws the statechart, follows it and explains it after an outage, by itself', async () => {
    const { page, logIn } = await world!.visit();
    await logIn();
    await world!.submit('sleep 600', { name: 'through an outage' });
    const down = ['**/charts/worker.svg', '**/v1/explain/*', '**/v1/instances/*/events'];
    await page.route(down[0]!, (route) => route.abort());
    for (const address of down.slice(1)) await page.route(address, (route) => route.fulfill({ status: 502 }));
    await page.locator('.row.instance a.id').first().click();
    await page
      .getByLabel(/^Statechart/)
      .getByText('Failed to fetch')
      .waitFor();
    await page.getByLabel('Why', { exact: true }).getByRole('alert').waitFor();
    for (const address of down) await page.unroute(address);
    await page.locator('.chart svg [data-state].active').first().waitFor();
    await page
      .getByLabel('Why', { exact: true })
      .getByText(/instance/i)
      .first()
      .waitFor();
    await expect.poll(() => page.getByRole('alert').count()).toBe(0);
  });
});

/** As the API tells of it; every other one runs a container. */
function instance(index: number): Record<string, unknown> {
  const id = `i-${String(index).padStart(5, '0')}`;
  const isRunning = index % 2 === 0;
  return {
    instance: id,
    launch: `launch-${index}`,
    address: `10.0.${index >> 8}.${index & 255}:22`,
    type: 'small',
    providerType: 'small',
    state: isRunning ? 'running' : 'idle',
    bootStage: null,
    idleBehavior: 'run',
    price: 0.02,
    containers: isRunning ? [`wired-dz642-${String(index).padStart(15, '0')}`] : [],
    lastContainer: '',
    appearedAt: new Date().toISOString(),
    lastBusyAt: null,
  };
}
