import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requirePostgres } from '../support/postgres.js';

const root = join(import.meta.dirname, '../..');
const patient = { timeout: 40_000, interval: 100 };

/** Commands of the processes that name the folder in their arguments or environment. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
      return !stat.includes(') Z ') && (command + environment).includes(folder) ? [command] : [];
    } catch {
      return [];
    }
  });
}

describe('what a script starts ends with it', { timeout: 180_000 }, () => {
  let folder: string;
  let script: ChildProcess | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'longshore-ends-'));
  });
  afterEach(async () => {
    script?.kill('SIGKILL');
    await expect.poll(() => processesOf(folder), patient).toEqual([]);
    rmSync(folder, { recursive: true, force: true });
  });

  const start = (...argv: string[]): ChildProcess => {
    const env = { ...process.env, TMPDIR: folder };
    script = spawn(process.execPath, argv, { cwd: root, env, stdio: ['ignore', 'pipe', 'ignore'] });
    return script;
  };
  const instancesRun = (): boolean => processesOf(folder).some((command) => command.includes('sleep '));
  const ended = async (): Promise<void> => {
    await expect.poll(() => processesOf(folder), patient).toEqual([]);
    // tsx keeps its cache there.
    const left = (): string[] => readdirSync(folder).filter((name) => !name.startsWith('tsx-'));
    await expect.poll(left, patient).toEqual([]);
  };

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const) {
    it(`quickstart, at ${signal}`, async () => {
      if (!existsSync(join(root, 'dist/main.js'))) throw new Error('not built: npm run build');
      const child = start('scripts/quickstart.mjs');
      child.stdout!.resume();
      await expect.poll(instancesRun, patient).toBe(true);
      child.kill(signal);
      await ended();
    });
  }

  it('quickstart, when the reader of its output is gone', async () => {
    const child = start('scripts/quickstart.mjs');
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    child.stdout!.destroy();
    await ended();
    expect(child.exitCode).not.toBe(0);
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`failover, with its PostgreSQL and both daemons, at ${signal}`, async (context) => {
      requirePostgres(context);
      // The server's own user must reach its folder.

      chmodSync(folder, 0o755);
      const child = start('--import', 'tsx', 'scripts/failover.ts', '--rounds', '1', '--containers', '50');
      child.stdout!.resume();
      const running = (what: string): number =>
        processesOf(folder).filter((command) => command.includes(what)).length;
      await expect.poll(() => running('failover-daemon.ts'), patient).toBe(2);
      expect(running('postgres -D')).toBe(1);
      child.kill(signal);
      await ended();
    });
  }

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`liars, with its daemon and its liars, at ${signal}`, async () => {
      const child = start('--import', 'tsx', 'scripts/liars.ts', '--seeds', '1');
      child.stdout!.resume();
      const running = (what: string): number =>
        processesOf(folder).filter((command) => command.includes(what)).length;
      await expect.poll(() => running('daemon-program.ts'), patient).toBe(1);
      expect(running('liars-program.ts')).toBe(1);
      child.kill(signal);
      await ended();
    });
  }
});
