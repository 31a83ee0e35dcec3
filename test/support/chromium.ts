import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { TestContext } from 'vitest';
import { findTool, requireTool } from './tools.js';

/** Names under which systems install it; the first one is that of Debian's package. */
const names = ['chromium', 'chromium-browser', 'google-chrome'];

/** The system's Chromium, without a window. Where there is none the test is skipped; under CI it fails. */
export async function launchChromium(context: TestContext): Promise<Browser> {
  const installed = names.find((name) => findTool(name) !== undefined) ?? names[0]!;
  return chromium.launch({
    executablePath: requireTool(context, installed),
    // Containers and CI often run as root without user namespaces, and with a small /dev/shm.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'],
  });
}

/** Keeps a picture of the page in the test's output folder, where `scripts/test` gave it one. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  const folder = process.env['LONGSHORE_TEST_OUTPUT'];
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
