import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { TestContext } from 'vitest';
import { pageFolder } from '../../src/daemon/page-folder.js';
import { launchChromium } from './chromium.js';
import { managementToken, startInProcess, type InProcess, type Reply } from './in-process.js';

const settings = (bootProbeCommand: string): string => `managementToken: ${managementToken}
driverParameters: { maxInstances: 3, bootDelayMs: 300 }
instanceTypes:
  small: { vcpus: 2, ram: 1GiB, includedScratch: 1GiB, price: 0.02 }
  large: { vcpus: 8, ram: 4GiB, includedScratch: 4GiB, price: 0.09 }
pool: { bootProbeCommand: '${bootProbeCommand}', maxInstances: 3, timeoutIdle: 1s, timeoutSignal: 1s, probeInterval: 1s }`;

/** A browser beside the whole daemon. */
export interface PageWorld {
  app: InProcess;
  /** A browser of its own, with its own login, that says what went wrong inside it. */
  visit(options?: VisitOptions): Promise<Visit>;
  /** Submits by the API; the container's UUID. */
  submit(script: string, container?: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

export interface VisitOptions {
  colorScheme?: 'light' | 'dark';
  width?: number;
  /** By way of which address; the daemon's own unless given. */
  url?: string;
}

export interface Visit {
  page: Page;
  context: BrowserContext;
  /** Errors of scripts and of the policy against injected content. */
  problems: string[];
  logIn(): Promise<void>;
  /** Shows a view, by its address after `#/`. */
  open(view: string): Promise<void>;
}

/** Starts the daemon and Chromium. Skips the test where Chromium is missing. */
export async function startPageWorld(test: TestContext, bootProbeCommand = 'true'): Promise<PageWorld> {
  if (!existsSync(join(pageFolder, 'index.html'))) throw new Error('the page is not built: npm run build');
  const browser: Browser = await launchChromium(test);
  const app = await startInProcess(settings(bootProbeCommand));
  return {
    app,
    visit: (options) => visit(browser, { url: app.daemon.url, ...options }),
    submit: async (script, container = {}) => {
      const body = { containers: [{ vcpus: 1, command: ['sh', '-c', script], ...container }] };
      const reply: Reply = await app.ask('/v1/containers', { body });
      if (reply.status !== 201) throw new Error(reply.text);
      return (reply.json as { items: { uuid: string }[] }).items[0]!.uuid;
    },
    close: async () => {
      await browser.close();
      await app.stop();
    },
  };
}

async function visit(
  browser: Browser,
  { url, colorScheme = 'light', width = 1280 }: VisitOptions & { url: string },
): Promise<Visit> {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    const text = message.text();
    if (message.type() === 'error' && !text.startsWith('Failed to load resource')) problems.push(text);
  });
  const open = async (view: string): Promise<void> => {
    await page.goto(`${url}/#/${view}`);
  };
  const logIn = async (): Promise<void> => {
    await open('');
    await page.getByLabel('Management token').fill(managementToken);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('status').getByText('live', { exact: true }).waitFor();
  };
  return { page, context, problems, logIn, open };
}
