import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'vitest';

/** Where the program is, or `undefined`. System folders are searched beside the PATH. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** The program's path. Without it the test is skipped with the reason; under CI that is a failure. */
export function requireTool(context: TestContext, name: string): string {
  const path = findTool(name);
  if (path !== undefined) return path;
  if (process.env['CI'] === 'true')
    throw new Error(`${name} is not installed; scripts/test installs it under CI`);
  context.skip(`${name} is not installed`);
  return '';
}
