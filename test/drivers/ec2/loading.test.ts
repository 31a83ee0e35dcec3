import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const registry = new URL('../../../src/drivers/registry.ts', import.meta.url).href;
const composition = new URL('../../../src/daemon/daemon.ts', import.meta.url).href;
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Files of Amazon's libraries that a process has loaded after this program. */
function loadedBy(program: string): number {
  // The package's own modules come in by require, whoever imports them.
  const count =
    "const { createRequire } = await import('node:module');" +
    "console.log(Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('/@aws-sdk/')).length);";
  const args = ['--import', 'tsx', '--input-type=module', '--eval', `${program};${count}`];
  const said = execFileSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return Number(said.trim());
}

describe('code of AWS', { timeout: 300_000 }, () => {
  it('is not loaded by a daemon whose driver is another', () => {
    const open = `const { openDriver } = await import('${registry}');
      await openDriver('simulated', { parameters: {}, instanceSetId: 'x', stateDir: '.', clock: { now: () => 0 }, random: () => 0 })
        .catch(() => {});`;
    expect(loadedBy(`await import('${composition}'); ${open}`)).toBe(0);
  });

  it('is loaded by the driver that needs it', () => {
    const open = `const { openDriver } = await import('${registry}');
      await openDriver('ec2', { parameters: { region: 'us-east-1' }, instanceSetId: 'x', stateDir: '.', clock: { now: () => 0 } });`;
    expect(loadedBy(open)).toBeGreaterThan(0);
  });
});
