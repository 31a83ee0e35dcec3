import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { startViewerServer } from '../../src/inspector/viewer-server.js';
import { launchChromium } from '../support/chromium.js';

const toClose: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

/** In the place of Stately's page: says that it listens, and keeps what it is handed. */
const inspectorPage = `<!doctype html><title>inspector</title><pre></pre><script>
  addEventListener('message', ({ data }) => (document.querySelector('pre').textContent += data.text + ';'));
  parent.postMessage({ type: '@statelyai.connected' }, '*');
</script>`;

it('hands the inspector in its frame what is told, again after the connection was lost', async (context) => {
  const browser = await launchChromium(context);
  toClose.push(() => browser.close());
  const inspector = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end(inspectorPage);
  });
  await new Promise<void>((resolve) => inspector.listen(0, '127.0.0.1', resolve));
  toClose.push(() => void inspector.close());
  const ends: (() => void)[] = [];
  const server = await startViewerServer({
    port: 0,
    inspectorUrl: `http://127.0.0.1:${(inspector.address() as AddressInfo).port}/inspect`,
    joined: (tell, part) => {
      ends.push(part);
      tell(JSON.stringify({ text: `hello ${ends.length}` }));
    },
    warn: () => {},
  });
  toClose.push(() => server.close());
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => void (message.type() === 'error' && problems.push(message.text())));
  await page.goto(server.url);
  const shown = page.frameLocator('#inspector').locator('pre');
  await expect.poll(() => shown.textContent(), { timeout: 20_000 }).toBe('hello 1;');
  server.send(JSON.stringify({ text: 'news' }));
  await expect.poll(() => shown.textContent()).toBe('hello 1;news;');
  expect(problems).toEqual([]);
  ends[0]!();
  await expect.poll(() => shown.textContent(), { timeout: 20_000 }).toBe('hello 1;news;hello 2;');
}, 60_000);
